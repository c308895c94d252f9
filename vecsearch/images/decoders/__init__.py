"""Bytes of a picture file -> RGB uint8 (h, w, 3), a file for each format or concern."""

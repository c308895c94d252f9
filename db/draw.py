"""Draw the sample pictures: `python db/draw.py [--out DIR] [NAME ...]`."""

from __future__ import annotations

import argparse
import io
import zlib
from pathlib import Path

from drawing.menu import MENU, paint

LIMIT = 24_300  # bytes a picture, so that all 39 together stay under 950 KB


def encode(name: str) -> bytes:
    """Paint one picture from its own seed, at the best JPEG quality that fits the limit."""
    picture = paint(MENU[name], seed=zlib.crc32(name.encode()))
    for quality in range(92, 30, -2):
        store = io.BytesIO()
        picture.save(store, "JPEG", quality=quality, optimize=True, progressive=True)
        if store.tell() <= LIMIT:
            break
    return store.getvalue()


def main() -> None:
    """Write the pictures that are asked for, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="pictures to draw (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    args = parser.parse_args()
    if unknown := set(args.names) - MENU.keys():
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or MENU:
        (args.out / f"{name}.jpg").write_bytes(encode(name))


if __name__ == "__main__":
    main()

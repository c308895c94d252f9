"""Perceptual hashes of other programs, for the pictures whose paths come on standard input.

Prints a JSON object: the name of each hash that this Python has, and the 64 bits of each picture as
hexadecimal digits.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

Encode = Callable[[str], str]


def imagededup() -> dict[str, Encode]:
    """Return the hashes of imagededup."""
    from imagededup.methods import DHash, PHash, WHash

    def encoder(method: Any) -> Encode:
        return lambda path: str(method.encode_image(image_file=path))

    return {kind.__name__: encoder(kind(verbose=False)) for kind in (PHash, DHash, WHash)}


def czkawka() -> dict[str, Encode]:
    """Return the hash of czkawka, by its Python package."""
    from czkawka import ImageSimilarity

    finder = ImageSimilarity()

    def encode(path: str) -> str:
        text = finder.hash_image(path)
        return base64.b64decode(text + "=" * (-len(text) % 4)).hex()

    return {"czkawka": encode}


def main() -> None:
    """Hash and print."""
    paths = sys.stdin.read().splitlines()
    found = {}
    for package in (imagededup, czkawka):
        try:
            methods = package()
        except ImportError as error:
            sys.stderr.write(f"left out: {error}\n")
            continue
        for name, encode in methods.items():
            found[name] = [encode(path) for path in paths]
    print(json.dumps(found))


if __name__ == "__main__":
    main()

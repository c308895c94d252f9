"""Pictures a second that are read, decoded and resized as in a build, and nothing else.

python benchmarks/decoding.py FOLDER [SIDE]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from vecsearch.images.reader import read_images


def main() -> None:
    """Print the rate."""
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 224
    files = [(None, path) for path in sorted(Path(sys.argv[1]).iterdir())]
    start = time.perf_counter()
    count = sum(one.image is not None for one in read_images(files, side))
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()

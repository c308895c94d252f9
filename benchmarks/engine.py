"""Images a second of an index's own encoder on tensors that are ready: what a build cannot exceed.

python benchmarks/engine.py INDEX [COUNT]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from vecsearch.embed.encoder import open_encoder
from vecsearch.embed.spec import EncoderSpec
from vecsearch.store.snapshot import Snapshot


def main() -> None:
    """Print the rate."""
    snapshot = Snapshot(Path(sys.argv[1]))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    xml, constants, _ = snapshot.encoder_files()
    encoder = open_encoder(EncoderSpec.from_json(snapshot.encoder_json), xml, constants)
    size = encoder.engine.batch_size
    pixels = np.random.RandomState(0).randint(0, 256, (size, 224, 224, 3)).astype(np.uint8)
    for _ in encoder.stream((n, pixels) for n in range(4)):
        pass
    start = time.perf_counter()
    for _ in encoder.stream((n, pixels) for n in range(count // size)):
        pass
    print((count // size) * size / (time.perf_counter() - start))


if __name__ == "__main__":
    main()

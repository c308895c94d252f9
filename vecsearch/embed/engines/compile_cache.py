"""The network as OpenVINO prepared it for this machine, kept in the user's cache.

What is kept is small: the graph after OpenVINO's transformations. The constants stay in the file of
the index, which is mapped. Each file begins with the SHA-256 of the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from pathlib import Path
from typing import Any, Final

from vecsearch.embed.cache import cache_folder
from vecsearch.embed.engines.openvino_runtime import ov
from vecsearch.errors import WeightsError

_DIGEST_BYTES: Final = 32
_KEPT: Final = 64


def compile_cached(xml: Path, constants: Path, content: bytes, config: dict[str, Any]) -> Any:
    """Compile the network in *xml* and *constants* for the CPU, or take it from the cache.

    *content* identifies the two files, and begins with their SHA-256. The cache is keyed by it,
    *config*, OpenVINO's version and the processor; an unusable cache is passed over.
    """
    core = ov.Core()
    config = {**config, "CACHE_MODE": "OPTIMIZE_SIZE"}
    key = hashlib.sha256(content)
    for part in (ov.get_version(), _processor(), repr(sorted(config.items()))):
        key.update(f"\0{part}".encode())
    path = None
    with contextlib.suppress(WeightsError):  # no home, no cache
        path = cache_folder() / "networks" / f"{key.hexdigest()[:32]}.blob"
    blob = _read(path) if path else None
    if blob is not None:
        # Version, processor or a damaged file: whatever it refuses, compiling anew is the answer.
        with contextlib.suppress(RuntimeError):
            return core.import_model(blob, "CPU", {**config, "WEIGHTS_PATH": str(constants)})
    from vecsearch.embed.engines.read_network import read_network  # few queries come here

    compiled = core.compile_model(read_network(xml, constants), "CPU", config)
    # What is kept is believed later, so it must be made of the content that it is kept for.
    if path and _digest(xml) + _digest(constants) == content[: 2 * _DIGEST_BYTES]:
        _write(path, compiled.export_model().getvalue())
    return compiled


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    blob = data[_DIGEST_BYTES:]
    return blob if hashlib.sha256(blob).digest() == data[:_DIGEST_BYTES] else None


def _write(path: Path, blob: bytes) -> None:
    """Keep *blob* if that is possible, and the latest `_KEPT` others."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(blob).digest() + blob)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        kept = sorted(path.parent.glob("*.blob"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-_KEPT]:
            old.unlink(missing_ok=True)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _processor() -> str:
    """Name the processor and what it can do, without loading anything."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            lines = file.read(4096).splitlines()  # the first core says it
        return "\n".join(line for line in lines if line.startswith(("model name", "flags")))
    except OSError:
        return f"{platform.machine()} {platform.processor()}"

"""Files of parameters: .pth, from which only tensors are read, and .safetensors."""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

import numpy as np

from vecsearch.embed.backbones.backbone import Array, Shapes
from vecsearch.errors import WeightsError

_LONGEST: Final = 10_000
"""Names in checkpoints are shorter; torch looks at longer ones in quadratic time."""

_PICKLES: Final = 5
"""The number of pickles before the numbers, where a checkpoint is not a zip."""


def read_checkpoint(path: Path, shapes: Shapes, title: str) -> dict[str, Array]:
    """Read the arrays that *shapes* names from a .pth or .safetensors file, as float32.

    *title* is what the network is called. Raises WeightsError if the file is damaged, holds
    anything but tensors, lacks an array, or has one of another shape.
    """
    read = _read_safetensors if path.suffix == ".safetensors" else _read_pth
    arrays = read(path, tuple(shapes))
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else None
        if found != shape:
            problem = "has no" if found is None else f"has shape {found} for"
            raise WeightsError(
                f"{path} is not {_article(title)}: it {problem} {name} {shape}",
                hint=f"give a state dict of {title}, or choose its network with --model",
                path=path,
            )
        if not np.isfinite(arrays[name]).all():
            raise WeightsError(
                f"{path} is damaged: {name} has values that are no numbers", path=path
            )
    return arrays


def _article(title: str) -> str:
    return f"an {title}" if title[0] in "AEIOU" else f"a {title}"


def _read_safetensors(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            present = set(file.keys())
            return {
                name: np.asarray(file.get_tensor(name), dtype=np.float32)
                for name in names
                if name in present
            }
    except TypeError as error:  # a type that numpy does not have
        raise WeightsError(
            f"{path} has a number format that is not supported ({error})",
            hint="save it as float32 or float16",
            path=path,
        ) from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error})", path=path) from None


def _read_pth(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    import torch

    try:
        for file in _pickles(path):
            _check_pickle(file)
        # Mapped, so that a classifier's half gigabyte is never read; the older format, in which
        # torchvision's own file is, cannot be.
        state = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path} is refused: it holds more than tensors, and could run code",
            hint="give a state dict saved with torch.save(model.state_dict(), file)",
            path=path,
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a file that is none makes torch raise
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path} is not a PyTorch checkpoint ({reason})", path=path) from None
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path} is not a state dict but a {type(state).__name__}", path=path)
    return {
        name: value.detach().to(torch.float32).numpy()
        for name in names
        if isinstance(value := state.get(name), torch.Tensor)
        and (value.is_floating_point() and value.layout == torch.strided)
        and not (value.is_meta or value.is_nested)
    }


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """Open the pickles of a checkpoint; raises ValueError for a zip that torch has not made."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for _ in range(_PICKLES):
                if file.peek(1):
                    yield file
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{info.filename!r:.100} in it is compressed")
            if info.filename.endswith(".pkl"):
                with archive.open(info) as file:
                    yield file


def _check_pickle(file: IO[bytes]) -> None:
    """Raise ValueError if *file* is not a pickle, or has a longer text than a checkpoint."""
    for _, value, _ in pickletools.genops(file):
        if isinstance(value, str | bytes) and len(value) > _LONGEST:
            raise ValueError(f"it has a name or text of {len(value):,} characters")

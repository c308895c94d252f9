"""The parameters of a truncated VGG19: from a file, a download, or a seeded generator."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.embed import download
from vecsearch.embed.layers import VGG19, Layer
from vecsearch.errors import UsageError, WeightsError
from vecsearch.types import Progress

Array = npt.NDArray[np.float32]
Channels = tuple[float, float, float]

IMAGENET_URL: Final = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""torchvision's VGG19_Weights.IMAGENET1K_V1; the file's SHA-256 begins with the eight digits."""

IMAGENET_MEAN: Final[Channels] = (0.485, 0.456, 0.406)
IMAGENET_STD: Final[Channels] = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters by their names in torchvision's state dict, and what goes with them."""

    name: str
    arrays: Mapping[str, Array]
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD

    def sha256(self) -> str:
        """Give the SHA-256 over names, shapes and float32 values, whatever file they came in."""
        digest = hashlib.sha256()
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name], dtype="<f4")
            digest.update(f"{name}{array.shape}".encode())
            digest.update(array.data)
        return digest.hexdigest()


def load_weights(
    source: str, layers: tuple[Layer, ...], progress: Progress | None = None
) -> Weights:
    """Load the parameters of *layers* from *source*.

    *source* is ``imagenet``, ``random:SEED``, a .pth or .safetensors file, or the URL of a
    checkpoint that carries the start of its SHA-256 in its name, as PyTorch's do.

    Raises WeightsError if they cannot be had or believed, UsageError for another *source*.
    """
    if source.startswith("random:"):
        return Weights(source, random_arrays(_seed(source), layers))
    if source == "imagenet":
        return Weights(source, _fetched(IMAGENET_URL, layers, progress))
    if source.startswith(("http://", "https://")):
        return Weights(source.rpartition("/")[2], _fetched(source, layers, progress))
    path = Path(source)
    if not path.is_file():
        raise WeightsError(
            f"no weights file {source}",
            hint="give a .pth or .safetensors file, 'imagenet', or 'random:0' for a trial",
            path=path,
        )
    return Weights(path.name, read_arrays(path, layers))


def random_arrays(seed: int, layers: tuple[Layer, ...]) -> dict[str, Array]:
    """Make untrained parameters: He-normal, zero bias, each filter's mean taken out.

    He et al., "Delving Deep into Rectifiers" (ICCV 2015), eq. 10. Without its mean over channels
    and window a filter is a band-pass, which tells pictures apart far better than the plain
    initialisation, whose first principal component swamps all others.
    """
    generator = np.random.RandomState(seed)  # the one generator whose stream numpy never changes
    arrays: dict[str, Array] = {}
    for layer in layers:
        for name, shape in layer.shapes().items():
            if name.endswith(".bias"):
                arrays[name] = np.zeros(shape, np.float32)
                continue
            fan_in = int(np.prod(shape[1:]))
            values = generator.standard_normal(shape).astype(np.float32)
            values *= np.float32(np.sqrt(2.0 / fan_in))
            values -= values.mean(axis=tuple(range(1, len(shape))), keepdims=True)
            arrays[name] = values
    return arrays


def read_arrays(path: Path, layers: tuple[Layer, ...]) -> dict[str, Array]:
    """Read the parameters of *layers* from a .pth (tensors only) or .safetensors file.

    Raises WeightsError if the file is damaged, holds anything but tensors, or lacks a parameter.
    """
    shapes = {name: shape for layer in layers for name, shape in layer.shapes().items()}
    read = _read_safetensors if path.suffix == ".safetensors" else _read_checkpoint
    arrays = read(path, tuple(shapes))
    for name, shape in shapes.items():
        found = arrays[name].shape if name in arrays else None
        if found != shape:
            problem = "has no" if found is None else f"has shape {found} for"
            raise WeightsError(
                f"{path} is not a VGG19: it {problem} {name} {shape}",
                hint="vecsearch reads torchvision's state dict of vgg19",
                path=path,
            )
        if not np.isfinite(arrays[name]).all():
            raise WeightsError(
                f"{path} is damaged: {name} has values that are no numbers", path=path
            )
    return arrays


def _fetched(url: str, layers: tuple[Layer, ...], progress: Progress | None) -> dict[str, Array]:
    """Take the truncated part from the cache, or download the whole once and cut it."""
    part = "conv" if all(layer.kind != "fc" for layer in layers) else "fc"
    kept = download.cached(url, part) or download.cached(url, "fc")
    if kept is None:
        whole = tuple(layer for layer in VGG19 if part == "fc" or layer.kind != "fc")
        with download.fetched(url, progress) as checkpoint:
            kept = download.keep(url, part, read_arrays(checkpoint, whole))
    return read_arrays(kept, layers)


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


def _read_checkpoint(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    import torch

    try:
        # Mapped, so that the classifier's half gigabyte is never read; the older format, in which
        # torchvision's own file is, cannot be.
        state = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path} is refused: it holds something else than tensors, which could run code",
            hint="give a state dict saved with torch.save(model.state_dict(), file)",
            path=path,
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path} is not a PyTorch checkpoint ({reason})", path=path) from None
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path} is not a state dict but a {type(state).__name__}", path=path)
    return {
        name: value.detach().to(torch.float32).numpy()
        for name in names
        if isinstance(value := state.get(name), torch.Tensor)
        and (value.is_floating_point() and value.layout == torch.strided and not value.is_meta)
    }


def _seed(source: str) -> int:
    digits = source.partition(":")[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11 and int(digits) < 2**32):
        raise UsageError(f"{source!r} needs a seed from 0 to {2**32 - 1}", hint="e.g. random:0")
    return int(digits)

"""JPEGs -> network input on torch's device: the pixels of Pillow but for rounding."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812
from torchvision import io as torchvision_io

from vecsearch.embed.engines.torch import accelerator
from vecsearch.errors import UsageError
from vecsearch.images.decoders.jpeg import Jpeg, JpegDecoder
from vecsearch.images.decoders.to_rgb import decode, preprocess
from vecsearch.types import Pixels

_MOST_APART: Final = 0.5
"""How far pixels of the trial picture may be from Pillow's on average, of 255: errors of one level
in decoding make 0.26, subsampled colours that are repeated and not interpolated make 1.3."""


def jpeg_decoder() -> JpegDecoder:
    """Return `decode_jpegs` if it decodes a trial picture here as Pillow does.

    Raises UsageError: what fails with this one would fail with all, and leave them to Pillow one
    after another; and other pixels are other vectors.
    """
    colours = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize((256, 256)).save(file, "JPEG")
    data = file.getvalue()
    try:
        (found,) = _decode([Jpeg(data, 256, 256, 1)], 128)
    except (RuntimeError, AttributeError) as error:  # no nvJPEG; no decoders any more
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"--decode device: torch decodes no JPEGs here ({reason})", hint="leave it out"
        ) from None
    apart = float(np.abs(found.astype(int) - preprocess(decode(data)[0], 128)).mean())
    if apart > _MOST_APART:
        raise UsageError(
            f"--decode device: torch's pixels are {apart:.2f} levels from Pillow's here, "
            f"{_MOST_APART} are the limit",
            hint="leave it out",
        )
    return decode_jpegs


def decode_jpegs(jpegs: Sequence[Jpeg], size: int) -> list[Pixels | None]:
    """Decode JPEGs to upright (size, size, 3) uint8, None for each that torch refuses."""
    try:
        return list(_decode(jpegs, size))
    except RuntimeError:  # of any of them, or no memory for so many
        if len(jpegs) == 1:
            return [None]
    middle = len(jpegs) // 2
    return decode_jpegs(jpegs[:middle], size) + decode_jpegs(jpegs[middle:], size)


def _decode(jpegs: Sequence[Jpeg], size: int) -> Pixels:
    device = torch.device(accelerator() or "cpu")
    encoded = [torch.frombuffer(bytearray(jpeg.data), dtype=torch.uint8) for jpeg in jpegs]
    with warnings.catch_warnings():
        # torchvision announces that its decoders will move to another package.
        warnings.simplefilter("ignore", DeprecationWarning)
        decoded = torchvision_io.decode_jpeg(encoded, "RGB", device)
    with torch.inference_mode():
        squares = [
            _squash(_upright(picture.to(device), jpeg.orientation), size)
            for picture, jpeg in zip(decoded, jpegs, strict=True)
        ]
        return np.asarray(torch.cat(squares).permute(0, 2, 3, 1).contiguous().cpu())


def _upright(picture: torch.Tensor, orientation: int) -> torch.Tensor:
    """Turn (3, h, w) by its EXIF orientation."""
    if orientation >= 5:
        picture = picture.transpose(1, 2)
    mirrored = {2: [2], 3: [1, 2], 4: [1], 6: [2], 7: [1, 2], 8: [1]}
    return picture.flip(mirrored.get(orientation, []))


def _squash(picture: torch.Tensor, size: int) -> torch.Tensor:
    """(3, h, w) uint8 -> (1, 3, size, size) uint8, rounded in between, as Pillow does."""
    narrow = _resize(picture[None], (picture.shape[1], size))
    return _resize(narrow, (size, size))


def _resize(pictures: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    # CUDA has this filter for floats only. Float16Vectors are rounded up, as Pillow does.
    resized = F.interpolate(pictures.float(), shape, mode="bilinear", antialias=True)
    return (resized + 0.5).to(torch.uint8)

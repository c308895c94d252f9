"""How a build reads its pictures: decoded by Pillow, or JPEGs by torch on its device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vecsearch.embed.engines.engine import choose_engine
from vecsearch.errors import UsageError
from vecsearch.images.decoders.jpeg import JpegDecoder
from vecsearch.images.reader import Outcome, read_images
from vecsearch.indexing.build_options import BuildOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads pictures for a network with inputs of ``image_size`` pixels a side.

    Pictures of more than ``max_pixels`` are skipped. ``decode_jpegs`` decodes JPEGs, if not Pillow.
    """

    image_size: int
    max_pixels: int
    decode_jpegs: JpegDecoder | None = None

    def read(
        self, files: Iterable[tuple[T, Path]], known: Callable[[bytes], bool] | None = None
    ) -> Iterator[Outcome[T]]:
        """Read *files* as `read_images` does."""
        return read_images(
            files,
            self.image_size,
            known=known,
            max_pixels=self.max_pixels,
            decode_jpegs=self.decode_jpegs,
        )


def make_reader(
    options: BuildOptions, engine: str, precision: str | None, image_size: int
) -> Reader:
    """Return the reader that *options* ask for; raises UsageError if *engine* has no decoder."""
    if options.decode == "cpu":
        return Reader(image_size, options.max_pixels)
    if choose_engine(engine, precision) != "torch":
        raise UsageError(
            "--decode device is for the torch engine, and this build would run on openvino",
            hint="leave it out, or add --engine torch",
        )
    from vecsearch.embed.engines.device_decoder import jpeg_decoder

    return Reader(image_size, options.max_pixels, jpeg_decoder())

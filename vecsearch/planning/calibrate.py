"""How fast this machine embeds: the network that a build would run, for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.embed.encoder import Encoder, EncoderConfig, make_encoder
from vecsearch.indexing.batches import batched
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.read import make_reader
from vecsearch.types import Pixels, Progress

EMBEDDED_S: Final = 4.0
_MOST_PICTURES: Final = 4096

NETWORK_SHARE: Final = 0.94
"""The rate of a build as a share of the rate of the network alone."""


def planned_encoder(config: EncoderConfig) -> Encoder:
    """Make the network of *config* with untrained weights, for these take as long as any.

    It has no PCA yet; int8, which is calibrated on pictures, is still fp32, and so slower.
    """
    return make_encoder(replace(config, weights="random:0"))


def known_rate(backbone: Backbone, layers: tuple[str, ...], precision: str) -> float:
    """Return the rate that was measured elsewhere, by the number of products up to *layers*."""
    facts = backbone.facts
    share = backbone.products(layers[-1]) / backbone.products(facts.default_layer)
    return facts.rates[precision] / share


def pictures_per_second(
    encoder: Encoder,
    config: EncoderConfig,
    paths: Sequence[Path] = (),
    progress: Progress | None = None,
) -> float:
    """Measure how many pictures a second are embedded, for some seconds.

    Of *paths* a seeded choice is read, decoded and embedded as a build does it. Without any that
    can be read, noise is embedded, and pictures that take long to decode will take longer.
    """
    size = encoder.engine.batch_size
    side = encoder.spec.image_size
    noise = np.random.RandomState(0).randint(0, 256, (size, side, side, 3), dtype=np.uint8)
    encoder.embed(noise)  # the first time is another
    if paths and (rate := _rate(encoder, _read(paths, config, size, side), progress)):
        return rate
    return NETWORK_SHARE * _rate(encoder, repeat(noise), progress)


def _rate(encoder: Encoder, source: Iterable[Pixels], progress: Progress | None) -> float:
    start = time.perf_counter()

    def batches() -> Iterator[tuple[int, Pixels]]:
        for pixels in source:
            yield len(pixels), pixels
            if time.perf_counter() - start > EMBEDDED_S:
                return

    done = 0
    for count, _ in encoder.stream(batches()):
        done += count
        if progress:
            spent = min(EMBEDDED_S, time.perf_counter() - start)
            progress("measuring the network", round(spent), round(EMBEDDED_S))
    return done / (time.perf_counter() - start)


def _read(paths: Sequence[Path], config: EncoderConfig, size: int, side: int) -> Iterator[Pixels]:
    """Read batches of *paths*."""
    chosen = np.random.RandomState(0).permutation(len(paths))[:_MOST_PICTURES]
    reader = make_reader(BuildOptions(), config.engine, config.precision, side)
    outcomes = reader.read((None, paths[number]) for number in chosen)
    pictures = ((None, one.image) for one in outcomes if one.image is not None)
    for _, pixels in batched(pictures, lambda: size):
        yield pixels

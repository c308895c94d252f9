"""The command ``plan``: what an index would take, before any work is done."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.ann.recipes import check_recipe
from vecsearch.arguments import checked
from vecsearch.embed.backbones.backbone import CLASSES, Backbone
from vecsearch.embed.classifier import follows
from vecsearch.embed.encoder import EncoderConfig, layers_of, model_of, pool_of
from vecsearch.embed.engines.engine import choose_engine, choose_precision
from vecsearch.embed.layers import feature_dim
from vecsearch.embed.pca import check_dim, sample_size
from vecsearch.embed.spec import RANDOM
from vecsearch.errors import UsageError
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.compaction import most_rows
from vecsearch.indexing.named_sources import Named
from vecsearch.indexing.open_sources import open_sources
from vecsearch.indexing.plan_build import plan_build
from vecsearch.indexing.worklist import Worklist
from vecsearch.planning.budget import Measurements, PlannedBases, PlanOptions, Task
from vecsearch.planning.calibrate import known_rate, pictures_per_second, planned_encoder
from vecsearch.store.segments import segment_bytes
from vecsearch.types import Progress

_CATALOG_BYTES: Final = 160
_SOME: Final = 1000
_CATALOG_PATH_FACTOR: Final = 2.2
"""What the catalog has for an image: its lines, and its path twice, in pages not quite full."""

_PATH_BYTES: Final = 60
"""A path's length where none is known."""

_QUERY_BYTES: Final = 150_000_000
_BUILD_BYTES: Final = 300_000_000
"""What a process takes that answers about a new picture, or builds, besides network and index."""

_PARAMETER_BYTES: Final = {"fp32": 4, "bf16": 2, "int8": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What an index of ``images`` vectors of ``dim`` dimensions would take.

    ``recipe_option`` is what a build must be told, empty where its own choice is the same.
    ``image_bytes`` is what each image adds to the disk, ``peak_bytes`` the most that the folder
    takes, while a segment is copied. ``query_memory_bytes`` is what a process that answers holds,
    ``query_cache_bytes`` what should besides be in the page cache. ``calibrated`` tells whether
    times were measured on this machine.
    """

    images: int
    model: str
    layer: str
    pool: str
    precision: str
    feature_dim: int
    dim: int
    bases: tuple[PlannedBases, ...]
    recipe_option: str
    segments_bytes: int
    bases_bytes: int
    catalog_bytes: int
    encoder_bytes: int
    disk_bytes: int
    peak_bytes: int
    image_bytes: float
    query_memory_bytes: int
    query_cache_bytes: int
    build_memory_bytes: int
    latency_ms: float
    pictures_per_second: float
    embedding_seconds: float
    indexing_seconds: float
    calibrated: bool


@checked
def plan(
    *sources: str | Path,
    images: int | None = None,
    encoder: EncoderConfig | None = None,
    options: PlanOptions | None = None,
    progress: Progress | None = None,
) -> PlanReport:
    """Estimate what an index of the pictures in *sources*, or of a number of *images*, would take.

    *Recipe*: as a build chooses it, segment by segment, if that fits the budgets of *options*;
    else an approximate one for all. Exact search reads all of its FAISS file for a query, so this
    must fit into the memory too, as page cache; so must the codes of an approximate one. The
    vectors that score its candidates are read where they are needed, and not counted.

    *Bytes* come from what FAISS writes of a small base of the recipe. *Times* are measured on this
    machine within about 15 seconds (`calibrate`): the network, untrained, on some of the pictures;
    exact search over 64 MB; and a small base with as many cells as the real one. They are scaled
    up: embedding by n; k-means by sample x cells x dimensions, filling by n (n log n for a graph),
    tuning and a query by the rows that are looked at, 15% of an inverted file. Of an approximate
    base, times are an order of magnitude: how far it must look is only known when it is tuned.
    Without calibration they are figures of two cores.

    Raises SourceError, UsageError: also when nothing fits, with what would.
    """
    config, options = encoder or EncoderConfig(), options or PlanOptions()
    pictures = _pictures(sources, images)
    network = _network(config, pictures.count)
    check_recipe(options.recipe, network.dim)
    task = Task(
        images=pictures.count,
        dim=network.dim,
        process_bytes=_QUERY_BYTES + network.encoder_bytes,
        options=options,
        measurements=Measurements(options.calibrate, progress),
    )
    bases, recipe_option = task.choose()
    rate = known_rate(network.backbone, network.layers, network.precision)
    if options.calibrate:
        rate = pictures_per_second(planned_encoder(config), config, pictures.sample, progress)
    return _report(network, pictures, bases, recipe_option, rate, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """What is known of the encoder without its weights.

    ``sampled`` pictures train its PCA, 0 if there is none; ``parameters`` are those of the network
    and the PCA.
    """

    backbone: Backbone
    layers: tuple[str, ...]
    pool: str
    precision: str
    feature_dim: int
    dim: int
    sampled: int
    parameters: int
    has_words: bool

    @property
    def encoder_bytes(self) -> int:
        """The bytes of its numbers, on the disk and in the memory of a process that answers."""
        return _PARAMETER_BYTES[self.precision] * self.parameters

    @property
    def words_bytes(self) -> int:
        """The bytes of its words, a float16 vector for each."""
        return 2 * CLASSES * self.dim if self.has_words else 0

    @property
    def pca_bytes(self) -> int:
        """The memory that training its PCA takes."""
        if not self.sampled:
            return 0
        return 4 * self.dim * self.feature_dim + 8 * min(self.sampled, self.feature_dim) ** 2


def _network(config: EncoderConfig, count: int) -> _Network:
    """Return what is known of an encoder for *count* pictures; raises UsageError."""
    backbone, layers, pool = model_of(config), layers_of(config), pool_of(config)
    engine = choose_engine(config.engine, config.precision)
    features = feature_dim(backbone, layers, pool)
    dim, sampled = features, 0
    parameters = sum(map(math.prod, backbone.parameters(layers[-1]).values()))
    if config.dim is not None:
        dim = config.dim
        check_dim(dim, features, samples=count)
        sampled = min(count, sample_size(dim, features))
        parameters += dim * (features + 1)
    is_trained = not (config.weights or "").startswith(RANDOM)
    return _Network(
        backbone=backbone,
        layers=layers,
        pool=pool,
        precision=choose_precision(config.precision or "auto", engine),
        feature_dim=features,
        dim=dim,
        sampled=sampled,
        parameters=parameters,
        has_words=is_trained and follows(backbone, layers, pool),
    )


def _report(
    network: _Network,
    pictures: _Pictures,
    bases: tuple[PlannedBases, ...],
    recipe_option: str,
    rate: float,
    options: PlanOptions,
) -> PlanReport:
    """Add up what the parts take; *rate* is in pictures per second."""
    count, dim = pictures.count, network.dim
    catalog_bytes = round(count * (_CATALOG_BYTES + _CATALOG_PATH_FACTOR * pictures.path_bytes))
    segments_bytes = segment_bytes(count, dim)
    bases_bytes = sum(one.size_bytes for one in bases)
    image_bytes = segments_bytes + bases_bytes + catalog_bytes
    encoder_bytes = network.encoder_bytes + network.words_bytes
    disk_bytes = image_bytes + encoder_bytes
    cached = sum(one.size_bytes for one in bases if one.mapped)
    training = max(network.pca_bytes, *(one.training_bytes for one in bases))
    return PlanReport(
        images=count,
        model=network.backbone.facts.name,
        layer="+".join(network.layers),
        pool=network.pool,
        precision=network.precision,
        feature_dim=network.feature_dim,
        dim=dim,
        bases=bases,
        recipe_option=recipe_option,
        segments_bytes=segments_bytes,
        bases_bytes=bases_bytes,
        catalog_bytes=catalog_bytes,
        encoder_bytes=encoder_bytes,
        disk_bytes=disk_bytes,
        peak_bytes=disk_bytes + segment_bytes(min(count, most_rows(dim)), dim),
        image_bytes=image_bytes / count,
        query_memory_bytes=_QUERY_BYTES + network.encoder_bytes + bases_bytes - cached,
        query_cache_bytes=cached,
        build_memory_bytes=_BUILD_BYTES + _PARAMETER_BYTES["fp32"] * network.parameters + training,
        latency_ms=sum(one.latency_ms for one in bases),
        pictures_per_second=rate,
        embedding_seconds=(count + network.sampled) / rate,
        indexing_seconds=sum(one.indexing_seconds for one in bases),
        calibrated=options.calibrate,
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """How many pictures there are, the mean length of their paths, and the paths of some."""

    count: int
    path_bytes: float
    sample: Sequence[Path] = ()


def _pictures(sources: Sequence[str | Path], images: int | None) -> _Pictures:
    """Count the pictures in *sources*; raises UsageError unless these or a number are given."""
    if images is not None:
        if sources:
            raise UsageError("SOURCE and --images are both given", hint="leave one out")
        if images < 1:
            raise UsageError(f"--images is {images}", hint="give at least 1")
        return _Pictures(images, _PATH_BYTES)
    if not sources:
        raise UsageError(
            "nothing to plan for", hint="give a folder of pictures, or their number with --images"
        )
    options = BuildOptions()
    with closing(Worklist()) as work:
        plan_build(open_sources(Named.of(sources, ()), None, options), None, work, options)
        path_bytes = sum(len(one.file.path) for one in work) / len(work)
        chosen = random.Random(0).sample(range(len(work)), min(len(work), _SOME))  # noqa: S311
        return _Pictures(len(work), path_bytes, [work[place].as_path() for place in chosen])

"""The command ``plan``."""

from __future__ import annotations

from typing import Final

import click

from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import record_fields, renamed
from vecsearch.cli.models import earlier_layer
from vecsearch.cli.options import json_option, model_option, recipe_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.cli.units import milliseconds, size, written_time
from vecsearch.embed.backbones.registry import find_model
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.embed.engines.engine import ENGINES, PRECISIONS
from vecsearch.embed.layers import POOLINGS
from vecsearch.planning.budget import PlannedBases, PlanOptions
from vecsearch.planning.plan import PlanReport
from vecsearch.planning.plan import plan as plan_index
from vecsearch.view.text import format_fields, to_json
from vecsearch.wording import written_size

_DEFAULTS: Final = PlanOptions()


@click.command(
    cls=Command,
    epilog=f"""\b
Examples:
  vecsearch plan photos
  vecsearch plan --images 10000000 --dim 128 --memory 8G --latency 20ms
  vecsearch plan --images 1000000 --layer {earlier_layer()} --pool flatten --dim 256 --json
""",
)
@click.argument("sources", nargs=-1, type=click.Path(readable=False), metavar="[SOURCE]...")
@click.option("--images", type=int, help="So many pictures, instead of those below SOURCE.")
@model_option
@click.option("--layer", metavar="NAME[+NAME]...", help="As for build.")
@click.option("--pool", type=click.Choice(POOLINGS), help="As for build.")
@click.option("--dim", type=int, help="As for build: reduce vectors to this length by PCA.")
@click.option("--precision", type=click.Choice(PRECISIONS), help="As for build.")
@click.option(
    "--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="As for build."
)
@click.option(
    "--memory",
    type=size,
    metavar="SIZE",
    help="What a query process may take, page cache included: 512M, 4G, 4GiB.",
)
@click.option("--latency", type=milliseconds, metavar="TIME", help="For one query: 20ms, 0.5s.")
@recipe_option(default=_DEFAULTS.recipe)
@click.option(
    "--calibrate/--no-calibrate",
    default=True,
    help="Measure this machine, up to 15 seconds, or take built-in figures.",
)
@json_option
@gathered(encoder=EncoderConfig)
def plan(
    sources: tuple[str, ...],
    images: int | None,
    encoder: EncoderConfig,
    memory: float | None,
    latency: float | None,
    recipe: str,
    calibrate: bool,
    as_json: bool,
) -> None:
    """Tell what an index would take: disk, memory, time, and which FAISS recipe is fit.

    The pictures are those below SOURCE, which are counted, or as many as --images says. Nothing is
    written, and no weights are needed.
    """
    options = PlanOptions(
        recipe=recipe, memory_bytes=memory, latency_ms=latency, calibrate=calibrate
    )
    with progress() as report_to:
        report = plan_index(
            *sources, images=images, encoder=encoder, options=options, progress=report_to
        )
    say(to_json(_fields(report)) if as_json else _describe(report))


def _fields(report: PlanReport) -> dict[str, object]:
    layers, option = report.layer.split("+"), report.recipe_option or None
    return renamed(record_fields(report, layer=layers, recipe_option=option), layer="layers")


def _describe(report: PlanReport) -> str:
    title = find_model(report.model).facts.title
    pca = f", PCA from {report.feature_dim}" if report.dim != report.feature_dim else ""
    measured = "measured here" if report.calibrated else "built-in figures, not of this machine"
    if report.calibrated and report.precision == "int8":
        measured += ", the network in fp32, which is slower"
    fields = {
        "images": f"{report.images:,}",
        "encoder": f"{title} {report.layer}, {report.pool}, d = {report.dim}{pca}, "
        f"{report.precision}",
        "disk": f"{written_size(report.disk_bytes)}, at most {written_size(report.peak_bytes)} "
        f"while building: vectors {written_size(report.segments_bytes)}, "
        f"FAISS {written_size(report.bases_bytes)}, catalog {written_size(report.catalog_bytes)} "
        f"({report.image_bytes:.0f} bytes an image), network {written_size(report.encoder_bytes)}",
        "query memory": f"{written_size(report.query_memory_bytes)}, "
        f"and {written_size(report.query_cache_bytes)} of page cache",
        "build memory": written_size(report.build_memory_bytes),
        "query time": f"about {written_time(report.latency_ms / 1e3)} to search",
        "build time": f"{written_time(report.embedding_seconds + report.indexing_seconds)}: "
        f"embedding {written_time(report.embedding_seconds)} "
        f"({report.pictures_per_second:.3g} pictures/s), "
        f"indexing {written_time(report.indexing_seconds)}",
        "times": measured,
    }
    lines = [format_fields(fields)]
    lines.extend(f"FAISS: {_base(base)}" for base in report.bases)
    if report.recipe_option:
        lines.append(f"build must be told so: --recipe {report.recipe_option}")
    return "\n".join(lines)


def _base(base: PlannedBases) -> str:
    number = f"{base.count} of " if base.count > 1 else ""
    kind = "exact" if base.exact else "approximate"
    return f"{base.recipe} over {number}{base.rows:,} rows, {kind}: {base.reason}"

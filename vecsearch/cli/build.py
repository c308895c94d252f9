"""The command ``build``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from vecsearch.cli.config_file import is_for_new_only
from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import encoder_fields, record_fields, renamed
from vecsearch.cli.models import (
    default_layers,
    default_pools,
    downloads,
    earlier_layer,
    known_layers,
)
from vecsearch.cli.options import (
    PATH,
    Number,
    fetch_option,
    json_option,
    model_option,
    recipe_option,
)
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.cli.quiet import is_quiet
from vecsearch.cli.relocate import describe, relocate_fields
from vecsearch.embed.backbones.registry import PACKAGED_MODEL
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.embed.engines.engine import ENGINES, PRECISIONS
from vecsearch.embed.layers import POOLINGS
from vecsearch.errors import UsageError
from vecsearch.indexing.build import BuildReport
from vecsearch.indexing.build import build as build_index
from vecsearch.indexing.build_options import DECODERS, BuildOptions
from vecsearch.indexing.named_sources import Named
from vecsearch.store.locate import has_index
from vecsearch.view.left_out import format_excluded, format_left_out, format_patterns
from vecsearch.view.text import (
    counted,
    format_agreement,
    format_reduction,
    shown,
    to_json,
)

_DEFAULTS: Final = BuildOptions()
_ENCODER_FIELDS: Final = frozenset(field.name for field in fields(EncoderConfig)) - {"engine"}


@click.command(
    cls=Command,
    rare=(
        *("null", "no_exclude", "layer", "pool", "dim", "weights", "precision", "engine"),
        *("recipe", "force", "retry_skipped", "commit_images", "commit_seconds"),
        *("max_megapixels", "decode", "fetch"),
    ),
    epilog=f"""\b
Examples:
  vecsearch build photos                             # makes indexes/photos
  vecsearch build                                    # brings it up to date
  vecsearch build photos --model {PACKAGED_MODEL}  # needs no download
  vecsearch build photos more-photos -i indexes/all
  vecsearch build photos --exclude '*.gif' --exclude private/
  vecsearch build shards/*.tar -i indexes/all        # pictures in tars

More examples:
  vecsearch build -i indexes/all                     # brings that one up to date
  vecsearch build s3://bucket/photos                 # or a web server's http://...
  find photos -name '*.jpg' -print0 | vecsearch build -0 --from-list - -i indexes/some
  vecsearch build photos --layer {earlier_layer()} --pool flatten --dim 256
""",
)
@click.argument("sources", nargs=-1, type=click.Path(readable=False), metavar="[SOURCE]...")
@click.option(
    "--from-list",
    type=click.Path(readable=False),
    multiple=True,
    metavar="FILE|-",
    help="Take the pictures that FILE names, one path a line; - is standard input.",
)
@click.option("-0", "--null", is_flag=True, help="Null bytes end the paths of --from-list.")
@click.option(
    "-i",
    "--index",
    type=PATH,
    envvar="VECSEARCH_INDEX",
    help="The index folder.  [default: indexes/NAME OF THE SOURCE]",
)
@model_option
@click.option(
    "--layer",
    metavar="NAME[+NAME]...",
    help=f"Where the network is cut: {known_layers()}. Layers joined by + are concatenated.  "
    f"[default: {default_layers()}]",
)
@click.option(
    "--pool",
    type=click.Choice(POOLINGS),
    help=f"How an activation becomes a vector.  [default: {default_pools()}]",
)
@click.option("--dim", type=int, help="Reduce vectors to this length by PCA.")
@click.option(
    "--weights",
    metavar="imagenet|FILE|URL",
    help=f"The network's parameters: those trained on ImageNet ({downloads()}), "
    "or a .pth or .safetensors file; random:SEED for tests.  [default: imagenet]",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Arithmetic of the network; auto is bf16 where the processor has it, int8 is calibrated "
    "on the pictures.  [default: auto]",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What runs the network; auto is torch on a GPU, else OpenVINO.",
)
@recipe_option(default=None)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what matches, as a line of a .gitignore would: '*.gif', private/, /raw. "
    "Repeatable; kept for later builds.",
)
@click.option("--no-exclude", is_flag=True, help="End what --exclude of earlier builds left out.")
@click.option("--force", is_flag=True, help="Take int8 even if it agrees little with fp32.")
@click.option("--fresh", is_flag=True, help="Start over instead of bringing up to date.")
@click.option(
    "--allow-empty", is_flag=True, help="Drop the pictures of a SOURCE that is gone or empty."
)
@click.option(
    "--retry-skipped", is_flag=True, help="Try again what was skipped, removed pictures among it."
)
@click.option(
    "--commit-images",
    default=_DEFAULTS.commit_images,
    show_default=True,
    help="Commit after so many ...",
)
@click.option(
    "--commit-seconds",
    type=Number(),
    default=_DEFAULTS.commit_seconds,
    show_default=True,
    help="... or so many seconds.",
)
@click.option(
    "--max-megapixels",
    type=Number(),
    default=_DEFAULTS.max_megapixels,
    show_default=True,
    help="Skip larger pictures before they are decoded (AVIF, JPEG 2000, WebP: half; HEIC: 0.8).",
)
@click.option(
    "--decode",
    type=click.Choice(DECODERS),
    default="cpu",
    show_default=True,
    help="Where JPEGs are decoded and resized; device is the accelerator of the torch engine.",
)
@fetch_option
@json_option
@gathered(encoder=EncoderConfig, options=BuildOptions)
def build(
    sources: tuple[str, ...],
    from_list: tuple[str, ...],
    null: bool,
    index: Path | None,
    encoder: EncoderConfig,
    options: BuildOptions,
    no_exclude: bool,
    as_json: bool,
) -> None:
    """Create an index of the pictures below SOURCE, or bring it up to date.

    A SOURCE is a folder, a .tar, or a URL such as s3://bucket/photos. New and changed pictures are
    embedded, moved ones recognised, deleted ones dropped. An interrupted build goes on where it was
    when the command is given again.

    SOURCE defaults to the sources that the index named by -i, or the only one, already has; where
    there is none, to db.
    """
    passed_over = _for_new_indexes()
    if passed_over and not options.fresh and _exists(index, sources, from_list):
        unset: dict[str, Any] = dict.fromkeys(passed_over & _ENCODER_FIELDS)
        encoder = replace(encoder, **unset)
        recipe = None if "recipe" in passed_over else options.recipe
        options = replace(options, recipe=recipe)
    options = replace(options, exclude=_chosen_patterns(options.exclude, no_exclude))
    with progress() as report_to:
        report = build_index(
            *sources,
            index=index,
            encoder=encoder,
            options=options,
            progress=report_to,
            from_list=from_list,
            null=null,
        )
    told = to_json(_fields(report)) if as_json else summary(report, kept=options.exclude is None)
    say(told)
    if is_quiet() and not as_json:
        for line in _missing(report):  # it is more than a report
            say(f"vecsearch: {line}", err=True)


def _fields(report: BuildReport) -> dict[str, object]:
    fields = record_fields(
        report,
        encoder=encoder_fields(report.encoder),
        relocated=[relocate_fields(one) for one in report.relocated],
    )
    return renamed(fields, total="images")


def _exists(index: Path | None, sources: Sequence[str], from_list: Sequence[str]) -> bool:
    return has_index(index or Named.of(sources, from_list).index())


def _for_new_indexes() -> frozenset[str]:
    """Name the options that a config file sets for new indexes; one that exists has its own."""
    ctx = click.get_current_context()
    return frozenset(
        name
        for name in filter(is_for_new_only, ctx.params)
        if ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP
    )


def _chosen_patterns(exclude: Sequence[str] | None, no_exclude: bool) -> Sequence[str] | None:
    """Return the patterns of a build; None for those that the index keeps."""
    if not no_exclude:
        return exclude or None
    source = click.get_current_context().get_parameter_source("exclude")
    if exclude and source is ParameterSource.COMMANDLINE:
        raise UsageError("--exclude and --no-exclude contradict each other", hint="give one")
    return ()


def _missing(report: BuildReport) -> list[str]:
    """Return a line for each source that is gone: what to do about it."""
    return [
        f"{shown(one)} is gone, and its images stay in the index; if it has another name now, "
        f"say vecsearch relocate {shown(one)} NEW -i {shown(report.index)}, "
        f"if they are to go, vecsearch build {shown(one)} -i {shown(report.index)} --allow-empty"
        for one in report.missing
    ]


def summary(report: BuildReport, *, kept: bool = False) -> str:
    """Say in a few lines what a build did; patterns were *kept* from earlier ones."""
    counts = report.counts
    parts = [
        f"{number} {what}"
        for number, what in (
            (counts.added, "added"),
            (counts.changed, "changed"),
            (counts.moved, "moved"),
            (counts.removed, "removed"),
            (counts.unchanged, "unchanged"),
            (counts.skipped, "skipped"),
        )
        if number
    ]
    encoder = report.encoder
    lines = [
        *map(describe, report.relocated),
        f"{shown(report.index)}: {counted(report.total, 'image')} ({', '.join(parts)}) "
        f"in {report.seconds:.1f} s",
        f"encoder: {encoder.title}, weights {encoder.weights}, {encoder.precision}",
    ]
    if report.reduction is not None:
        lines.append(format_reduction(report.reduction))
    if report.agreement is not None:
        lines.append(format_agreement(report.agreement))
    lines.extend(_missing(report))
    if report.left_out:
        lines.append(format_left_out(report.left_out))
    ends = " (kept from earlier builds; --no-exclude ends that)" if kept else ""
    for number, line in enumerate(format_excluded(report.exclude, report.excluded)):
        lines.append(f"excluded: {line}{ends if report.exclude and number == 0 else ''}")
    # That there is no *.gif yet is no news; a path that is seen from elsewhere is.
    if unused := [text for text in report.unused if "/" in text.rstrip("/")]:
        lines.append(
            f"nothing matches {format_patterns(unused)}: patterns match paths below each source, "
            "as lines of a .gitignore in it would"
        )
    if counts.skipped:
        lines.append("skipped files and their reasons: vecsearch info -i " + shown(report.index))
    return "\n".join(lines)

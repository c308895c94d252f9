"""The command ``import``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.json_fields import encoder_fields
from vecsearch.cli.options import PATH, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.paths import shown_in
from vecsearch.transfer.formats.blocks import DTYPES
from vecsearch.transfer.import_ import ImportReport, import_vectors
from vecsearch.transfer.inputs import ImportOptions
from vecsearch.view.text import counted, shown, to_json


@click.command(
    "import",
    epilog="""\b
Examples:
  vecsearch import vectors.npy --ids ids.txt -i indexes/mine
  vecsearch import table.parquet --id-column url -i indexes/mine
  vecsearch import a.npy b.npy --ids a.json --ids b.json --encoder-name clip-vit-b32
  vecsearch import embeddings                   # clip-retrieval's img_emb and metadata
  vecsearch import old.npy --ids old.txt --encoder indexes/photos -i indexes/copy
""",
)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@click.option(
    "-i",
    "--index",
    type=PATH,
    envvar="VECSEARCH_INDEX",
    help="The index folder.  [default: indexes/NAME OF THE FIRST FILE]",
)
@click.option(
    "--ids",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="An id for each vector: .txt, .json, .csv, .npy or .parquet. Once for each FILE, in "
    "order.",
)
@click.option(
    "--id-column", metavar="NAME", help="The column of ids in a .parquet or .csv, or array of .npz."
)
@click.option(
    "--vector-column",
    metavar="NAME",
    help="The column of vectors in a .parquet, or array of a .npz.",
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    help="What the bytes of a binary column of vectors are.",
)
@click.option(
    "--root", type=PATH, metavar="FOLDER", help="Take ids as paths from here, and make them whole."
)
@click.option(
    "--encoder",
    type=PATH,
    metavar="INDEX",
    help="An index whose network made the vectors, so that new pictures can be asked.",
)
@click.option(
    "--encoder-name", metavar="NAME", help="What made the vectors.  [default: the first FILE]"
)
@json_option
def import_(
    files: tuple[Path, ...],
    index: Path | None,
    ids: tuple[Path, ...],
    id_column: str | None,
    vector_column: str | None,
    root: Path | None,
    encoder: Path | None,
    encoder_name: str | None,
    dtype: str | None,
    as_json: bool,
) -> None:
    """Make vectors in .npy, .npz and .parquet files searchable, in an index that is there or not.

    The same command again is an update: ids that the index has get their new vector, and what is
    there already is not written again. An interrupted import goes on where it was.
    """
    options = ImportOptions(
        ids=ids,
        id_column=id_column,
        vector_column=vector_column,
        root=root,
        encoder=encoder,
        encoder_name=encoder_name,
        dtype=dtype,
    )
    with progress() as report_to:
        report = import_vectors(*files, index=index, options=options, progress=report_to)
    say(to_json(_fields(report)) if as_json else _describe(report))


def _fields(report: ImportReport) -> dict[str, object]:
    return {
        "index": report.index,
        "counts": {
            "added": report.added,
            "replaced": report.replaced,
            "unchanged": report.unchanged,
            "skipped": report.skipped,
            "nameless": report.nameless,
        },
        "nameless_at": shown_in(report.nameless_at) or None,
        "images": report.total,
        "seconds": report.seconds,
        "encoder": encoder_fields(report.encoder),
    }


def _describe(report: ImportReport) -> str:
    counts = {
        "added": report.added,
        "replaced": report.replaced,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
    }
    parts = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    where = shown(report.index)
    lines = [
        f"{where}: {counted(report.total, 'image')} ({parts}) in {report.seconds:.1f} s",
        f"encoder: {report.encoder.title}",
    ]
    if report.skipped:
        lines.append(
            "skipped vectors are zero, not finite, missing or of another length; they are named "
            f"by: vecsearch info -i {where}"
        )
    if report.nameless:
        lines.append(
            f"left out without an id: {counted(report.nameless, 'row')}, the first is "
            f"{shown_in(report.nameless_at)}"
        )
    return "\n".join(lines)

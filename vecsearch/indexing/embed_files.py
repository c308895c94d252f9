"""The pictures of a plan are read and embedded, and what became of each is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from vecsearch.embed.encoder import Encoder
from vecsearch.images.reader import ReadImage
from vecsearch.indexing.batches import batched
from vecsearch.indexing.diff import Plan
from vecsearch.indexing.read import Reader
from vecsearch.indexing.stage import Stage
from vecsearch.indexing.worklist import ToRead
from vecsearch.types import Progress


def embed_files(
    stage: Stage,
    plan: Plan,
    encoder: Callable[[], Encoder],
    reader: Reader,
    progress: Progress | None,
) -> None:
    """Read and embed the files of *plan*, and commit them; what was done before an interrupt too.

    *encoder* is called if there is content that the index does not know.
    """
    try:
        _read_and_embed(plan, stage, encoder, reader, progress)
        stage.finish()
    except KeyboardInterrupt:
        stage.commit()
        raise


def _read_and_embed(
    plan: Plan,
    stage: Stage,
    encoder: Callable[[], Encoder],
    reader: Reader,
    progress: Progress | None,
) -> None:
    total = len(plan.work)
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if progress and total:
            progress("embedding", done, total)

    def to_embed() -> Iterator[tuple[ToRead, ReadImage]]:
        files = ((source, source.file.as_path()) for source in plan.work)
        for outcome in reader.read(files, known=stage.knows):
            image = outcome.image and outcome.image.timed(outcome.tag.file.mtime_ns)
            if image is not None and image.pixels is not None:
                yield outcome.tag, image
                continue
            if image is None:
                stage.skip(outcome.tag, outcome.reason, outcome.settled)
            else:
                stage.reuse(outcome.tag, image.file)
            stage.commit_if_due()
            report(1)

    report(0)
    batches = batched(to_embed(), lambda: encoder().engine.batch_size)
    for first in batches:  # the encoder is not even opened when all content is known
        for batch, vectors in encoder().stream(chain([first], batches)):
            stage.embed(batch, vectors)
            stage.commit_if_due()
            report(len(batch))

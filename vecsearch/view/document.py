"""Pages that are one file: markup, style, program, data, thumbnails, and nothing from outside."""

from __future__ import annotations

import base64
import html
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import VecsearchError
from vecsearch.files import whole_file
from vecsearch.paths import shown
from vecsearch.types import Guess, Progress
from vecsearch.view.sprites import PAD, SpriteSheets

_POLICY: Final = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
"""The browser itself sees to it that the page fetches nothing."""

_NO_WORD: Final = 0xFFFF
_NO_SHARE: Final = 0xFF


def encode(array: npt.NDArray[Any]) -> str:
    """Write an array as base64 of its little-endian bytes."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()


def encode_guesses(guesses: Sequence[Sequence[Guess]]) -> dict[str, object]:
    """Write the likeliest words of each picture for a page: the words once, and their places.

    ``most`` is how many a picture has; ``shares`` are in per cent, 255 for one that is not known.
    """
    most = max(map(len, guesses), default=0)
    names: dict[str, int] = {}
    places = np.full((len(guesses), most), _NO_WORD, np.uint16)
    shares = np.full((len(guesses), most), _NO_SHARE, np.uint8)
    for number, own in enumerate(guesses):
        for rank, guess in enumerate(own):
            places[number, rank] = names.setdefault(guess.word, len(names))
            if guess.share is not None:
                shares[number, rank] = round(100 * guess.share)
    return {
        "names": list(names), "most": most, "of": encode(places), "shares": encode(shares),
    }  # fmt: skip


def split_root(paths: Sequence[Path]) -> tuple[str, list[str]]:
    """Split paths, as `shown` writes them, into the folder of all, with a slash, and the rest."""
    texts = [shown(path) for path in paths]
    # Letter by letter, for some may be URLs and some relative; then back to the last slash.
    root = os.path.commonprefix([text[: text.rfind("/") + 1] for text in texts])  # noqa: RUF071
    root = root[: root.rfind("/") + 1]
    return root, [text[len(root) :] for text in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A page of a ``kind`` that `vecsearch.view.web` has, with its ``data`` and its ``scripts``."""

    kind: str
    title: str
    subtitle: str
    data: Mapping[str, object]
    sprites: SpriteSheets
    scripts: Sequence[str]


def write_document(document: Document, out: Path, progress: Progress) -> None:
    """Write a page, whole or not at all; raises VecsearchError where that cannot be done."""
    lengths: list[int] = []
    # The sheets come last in the page, but what they tell of the thumbnails comes first.
    with tempfile.TemporaryFile() as sheets:
        try:
            for sheet in document.sprites.draw(progress):
                lengths.append(sheets.write(base64.b64encode(sheet)))
            sheets.seek(0)
        except OSError as error:
            where = tempfile.gettempdir()
            raise VecsearchError(
                f"cannot write a temporary file in {where}: {error.strerror or error}",
                hint="TMPDIR names another folder",
            ) from None
        with whole_file(out) as file:
            file.write(_page(document).encode("utf-8", "surrogatepass"))
            for number, length in enumerate(lengths):
                file.write(f'<script>Sprites.add({number},"'.encode())
                file.write(sheets.read(length))
                file.write(b'")</script>\n')
            file.write(b"</body>\n</html>\n")


def _page(document: Document) -> str:
    """Write the page up to its sheets of thumbnails, which have been drawn."""
    sprites, data, scripts = document.sprites, document.data, document.scripts
    head = {
        "side": sprites.side, "pitch": sprites.pitch, "pad": PAD,
        "columns": sprites.columns, "rows": sprites.columns,
        "widths": encode(sprites.widths), "heights": encode(sprites.heights),
        "means": encode(sprites.means), **_mapping(data, "sprites"),
    }  # fmt: skip
    title = html.escape(document.title)
    program = "\n".join(_resource(f"{name}.js") for name in ("sprites", *scripts))
    body = Template(_resource(f"{document.kind}.html")).substitute(
        title=title, subtitle=html.escape(document.subtitle)
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n"
        f"<style>\n{_resource('common.css')}{''.join(map(_style, scripts))}</style>\n"
        f"</head>\n<body>\n{body}"
        f'<script type="application/json" id="data">{_json({**data, "sprites": head})}'
        f"</script>\n<script>\n{program}</script>\n"
    )


def _mapping(data: Mapping[str, object], key: str) -> dict[str, object]:
    value = data.get(key, {})
    assert isinstance(value, dict)
    return value


def _style(script: str) -> str:
    """Return the style that goes with a script, if it has one."""
    style = files("vecsearch.view").joinpath("web", f"{script}.css")
    return style.read_text("utf-8") if style.is_file() else ""


def _resource(name: str) -> str:
    return files("vecsearch.view").joinpath("web", name).read_text("utf-8")


def _json(value: object) -> str:
    """Write JSON that cannot end the element it stands in; letters that are none are escaped."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")

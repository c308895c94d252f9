"""Pages: as one file that needs nothing from outside, or in parts that a server sends."""

from __future__ import annotations

import base64
import html
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
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

_WEB: Final = ("vecsearch.view", "web")
_FIRST: Final = "common"
"""The script that comes before all others, and the style that does."""

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


def split_root(
    paths: Sequence[Path], written: Callable[[Path], str] = shown
) -> tuple[str, list[str]]:
    """Split paths, as they are *written*, into the folder of all, with a slash, and the rest."""
    texts = [written(path) for path in paths]
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

    def all_data(self) -> dict[str, object]:
        """Return the data with what is known of the thumbnails, once these have been drawn."""
        sprites = self.sprites
        head = {
            "side": sprites.side, "pitch": sprites.pitch, "pad": PAD,
            "columns": sprites.columns, "rows": sprites.columns,
            "widths": encode(sprites.widths), "heights": encode(sprites.heights),
            "means": encode(sprites.means), **_mapping(self.data, "sprites"),
        }  # fmt: skip
        return {**self.data, "sprites": head}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A page in parts: the markup of a ``kind``, whose styles and scripts are files of their own.

    ``loader`` is the address of the script that gets the data from ``source``: it puts them where
    they are in a page that is one file, and then runs the ``scripts``. They and their styles are
    found below the address ``below``. ``further`` are the addresses of scripts that run after
    these, ``styles`` those of further styles, and ``icon`` that of an SVG.
    """

    kind: str
    title: str
    scripts: Sequence[str]
    loader: str
    source: str
    below: str
    icon: str
    further: Sequence[str] = ()
    styles: Sequence[str] = ()

    def markup(self) -> str:
        """Write the page, which has no script and no style within."""
        names = [name for name in (_FIRST, *self.scripts) if part(f"{name}.css") is not None]
        styles = [*(f"{self.below}{name}.css" for name in names), *self.styles]
        scripts = [*(f"{self.below}{name}.js" for name in (_FIRST, *self.scripts)), *self.further]
        parts = {"source": self.source, "scripts": scripts}
        links = "".join(f'<link rel="stylesheet" href="{html.escape(one)}">\n' for one in styles)
        return (
            f"{_head(self.title)}{links}"
            f'<link rel="icon" href="{html.escape(self.icon)}" type="image/svg+xml">\n'
            f'<script type="application/json" id="parts">{to_json(parts)}</script>\n'
            f'<script src="{html.escape(self.loader)}" defer></script>\n'
            f"</head>\n<body>\n{_body(self.kind, self.title, '')}</body>\n</html>\n"
        )


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
    scripts = (_FIRST, "sprites", *document.scripts)
    program = "\n".join(_resource(f"{name}.js") for name in scripts)
    styles = "".join(part(f"{name}.css") or "" for name in scripts)
    return (
        f"{_head(document.title, _POLICY)}"
        f"<style>\n{styles}</style>\n"
        f"</head>\n<body>\n{_body(document.kind, document.title, document.subtitle)}"
        f'<script type="application/json" id="data">{to_json(document.all_data())}'
        f"</script>\n<script>\n{program}</script>\n"
    )


def _head(title: str, policy: str = "") -> str:
    """Write the beginning of a page; a server sends its policy as a header."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n' if policy else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{meta}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
    )


def _body(kind: str, title: str, subtitle: str) -> str:
    """Write the markup of a kind of page, up to its data."""
    return Template(_resource(f"{kind}.html")).substitute(
        title=html.escape(title), subtitle=html.escape(subtitle)
    )


def _mapping(data: Mapping[str, object], key: str) -> dict[str, object]:
    value = data.get(key, {})
    assert isinstance(value, dict)
    return value


def part(name: str) -> str | None:
    """Return a script or style by the name of its file, if there is one."""
    file = files(_WEB[0]).joinpath(_WEB[1], name)
    return file.read_text("utf-8") if file.is_file() else None


def _resource(name: str) -> str:
    text = part(name)
    assert text is not None, name
    return text


def to_json(value: object) -> str:
    """Write JSON that cannot end the element it stands in; letters that are none are escaped."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")

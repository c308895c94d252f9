"""A gallery: queries with their hits, or groups of copies, as a page to browse."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vecsearch.paths import shown
from vecsearch.types import Guess, Progress, QueryImage, Result, no_progress
from vecsearch.view import fonts
from vecsearch.view.document import Document, encode_guesses, split_root, write_document
from vecsearch.view.picture_names import picture_names
from vecsearch.view.sprites import SpriteSheets, sprite_side
from vecsearch.view.thumbnails import Picture

_SCRIPTS: Final[Sequence[str]] = ("names", "gallery")
DECISION_SCRIPTS: Final[Sequence[str]] = (*_SCRIPTS, "decide")


@dataclass(frozen=True, slots=True)
class Compared:
    """What is told of a picture beside another one: its ``id``, and names with values.

    ``remark`` stands below its tile. A ``certain`` copy is one, whatever anybody says.
    """

    id: int
    facts: Mapping[str, str]
    remark: str = ""
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Decisions:
    """A page on which it is decided what is a copy: the commands that it gives, to be copied.

    ``not_copies`` is that for pictures that are no copies, to which their ids are added; ``again``
    the one that found the copies, to which it is added which pictures to keep, before ``keep``,
    what was preferred already.
    """

    not_copies: str
    again: str
    keep: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A picture with a word at the left and at the right below it, and a name below that.

    ``picture`` is None where there is none. Without a ``name`` it is the picture's, with as much of
    its folder as tells it apart from others on the page, but not a folder ``left_out``, which the
    tile says already. A tile with a ``mark`` is the one to look at, one with ``minus`` is what hits
    should not be like. ``compared`` is there on a page with `Decisions`.
    """

    picture: Picture | None
    name: str = ""
    left: str = ""
    right: str = ""
    left_out: str = ""
    mark: bool = False
    minus: bool = False
    compared: Compared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A row of a gallery: queries, and what was found.

    ``about`` is the picture whose row this is: a click on it anywhere leads here.
    """

    heading: str
    queries: Sequence[Tile] = ()
    tiles: Sequence[Tile]
    note: str = ""
    about: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table above the sections, with or without heads; a row is about its first cell."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """A page of ``sections``, with ``tables`` above them.

    ``guesses`` are the likeliest words of some of its pictures, by their paths. With ``decisions``
    pictures are compared with the first query of their section, and it is decided about them.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    tables: Sequence[Table] = ()
    guesses: Mapping[Path, Sequence[Guess]] = field(default_factory=dict)
    decisions: Decisions | None = None


def result_section(result: Result) -> Section:
    """Describe a query and its hits."""
    query_images = result.asked or (QueryImage(result.query, result.path),)
    return Section(
        heading=result.query if result.path is None else shown(result.path),
        queries=[
            Tile(
                picture=one if one.data or one.box or one.word else one.path,
                name="" if one.path is not None and not one.word else one.name,
                left="not" if one.minus else "word" if one.word else "query",
                minus=one.minus,
            )
            for one in query_images
        ],
        tiles=[
            Tile(
                picture=hit.path,
                left=str(hit.rank),
                right=f"{round(hit.score, 3) + 0.0:.3f}{' (gone)' if hit.is_gone else ''}",
            )
            for hit in result.hits
        ],
        note=result.error,
        about=result.path,
    )


def write_gallery(gallery: Gallery, out: Path, *, progress: Progress | None = None) -> None:
    """Write a gallery as a page that needs nothing but itself.

    Raises VecsearchError where the file cannot be written.
    """
    write_document(gallery_document(gallery), out, progress or no_progress)


def gallery_document(gallery: Gallery) -> Document:
    """Return a gallery as a page, whose thumbnails are drawn later."""
    tiles = [one for section in gallery.sections for one in (*section.queries, *section.tiles)]
    numbers: dict[Picture, int] = {}
    for one in tiles:
        if one.picture is not None:
            numbers.setdefault(one.picture, len(numbers))
    pictures = list(numbers)
    root, rest = split_root([_path(one) for one in pictures])
    names = picture_names(map(_path, pictures))

    def fields(one: Tile) -> dict[str, object]:
        name = one.name
        if not name and one.picture is not None:
            name = names[_path(one.picture)].removeprefix(f"{one.left_out}/")
        return _fields(one, numbers, fonts.printable(name))

    data = {
        "root": root,
        "paths": rest,
        "tables": [
            {"caption": one.caption, "heads": list(one.heads), "rows": [list(r) for r in one.rows]}
            for one in gallery.tables
        ],
        "words": encode_guesses([gallery.guesses.get(_path(one), ()) for one in pictures]),
        "sections": [
            {
                "heading": section.heading,
                "queries": [fields(one) for one in section.queries],
                "tiles": [fields(one) for one in section.tiles],
                "note": section.note,
                "about": numbers.get(section.about, -1) if section.about else -1,
            }
            for section in gallery.sections
        ],
    }
    scripts = _SCRIPTS
    if gallery.decisions is not None:
        data["decisions"] = dataclasses.asdict(gallery.decisions)
        scripts = DECISION_SCRIPTS
    return Document(
        kind="gallery",
        title=gallery.title,
        subtitle=gallery.subtitle,
        data=data,
        sprites=SpriteSheets(pictures, sprite_side(len(pictures))),
        scripts=scripts,
    )


def _path(picture: Picture) -> Path:
    if isinstance(picture, QueryImage):
        return picture.path or Path(picture.query)
    return picture


def _fields(one: Tile, numbers: dict[Picture, int], name: str) -> dict[str, object]:
    return {
        "picture": numbers[one.picture] if one.picture is not None else -1,
        "name": name,
        "left": one.left,
        "right": one.right,
        **({"mark": True} if one.mark else {}),
        **({"minus": True} if one.minus else {}),
        **({"compared": dataclasses.asdict(one.compared)} if one.compared else {}),
    }

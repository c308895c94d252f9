"""Results drawn in a terminal: the pictures themselves, with rank, score and name below."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from PIL import Image
from rich.cells import cell_len

from vecsearch.errors import UsageError
from vecsearch.types import QueryImage, Result
from vecsearch.view import fonts
from vecsearch.view.picture_names import names_of_results
from vecsearch.view.thumbnails import MOST_ENLARGED, Thumbnail, Thumbnails

Mode = Literal["kitty", "iterm2", "sixel", "blocks"]
MODES: Final[tuple[Mode, ...]] = ("kitty", "iterm2", "sixel", "blocks")
"""Three protocols for pictures, and Unicode's half blocks, which any terminal shows."""

Colours = Literal["all", "256", "16", "none"]

MOST_HITS: Final = 50
MOST_QUERY_IMAGES: Final = 6
"""More are counted only."""

_NARROWEST, _WIDEST = 14, 24
"""Cells across a picture; it has half as many down, for a cell is about twice as high."""
_GAP: Final = 2
_USUAL_CELL: Final = (10, 20)
"""Pixels, where the terminal does not tell; Windows Terminal counts sixels so with any font."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal can show; ``cell`` is width and height of a character in pixels."""

    mode: Mode
    colours: Colours = "all"
    columns: int = 80
    cell: tuple[int, int] = _USUAL_CELL
    within: Literal["", "tmux", "screen"] = ""


def look_at(stream: TextIO, mode: Mode | None = None) -> Terminal:
    """Find out what the terminal behind *stream* can show, from the environment alone.

    Without *mode* it is the best there is: blocks where *stream* is no terminal, and in tmux and
    screen, which keep pictures to themselves unless they are set up to pass them on. The terminal
    is not asked: one that does not answer would hold everything up.

    Raises UsageError without chafa.
    """
    chafa = import_chafa()
    environment = os.environ
    detected = chafa.TermDb().detect()

    def can(*names: str) -> bool:
        sequences = (getattr(chafa.TermSeq, f"CHAFA_TERM_SEQ_{name}") for name in names)
        return all(detected.have_seq(sequence) for sequence in sequences)

    within = _multiplexer(environment)
    if mode is None:
        mode = "blocks"
        if stream.isatty() and not within and environment.get("TERM") != "dumb":
            if can("BEGIN_KITTY_IMMEDIATE_IMAGE_V1"):
                mode = "kitty"
            elif can("BEGIN_ITERM2_IMAGE"):
                mode = "iterm2"
            elif can("BEGIN_SIXELS"):
                mode = "sixel"
    colours: Colours = "none"
    # https://no-color.org: whatever its value, unless it is empty
    if not environment.get("NO_COLOR") and environment.get("TERM") != "dumb":
        if environment.get("COLORTERM") in ("truecolor", "24bit") or can("SET_COLOR_FGBG_DIRECT"):
            colours = "all"
        elif can("SET_COLOR_FGBG_256"):
            colours = "256"
        elif can("SET_COLOR_FGBG_16"):
            colours = "16"
    columns, cell = _size(stream, environment)
    return Terminal(mode, colours, columns, cell, within)


def draw_results(results: Iterable[Result], terminal: Terminal) -> Iterator[str]:
    """Draw each of *results*: the query and then the hits, in rows that fit the terminal.

    Gives one text a result, without a newline at its end. Raises UsageError without chafa.
    """
    chafa = import_chafa()
    thumbnails = Thumbnails(_WIDEST * terminal.cell[0])
    for result in results:
        names = names_of_results([result])
        tiles = [*_asked(result, names, thumbnails), *_hits(result, names, thumbnails)]
        lines: list[str] = []
        for row in _rows(tiles, terminal.columns):
            if lines:
                lines.append("")
            lines += _draw_row(chafa, row, terminal)
        if len(result.asked) > MOST_QUERY_IMAGES:
            lines.append(f"and {len(result.asked) - MOST_QUERY_IMAGES:,} more asked")
        if result.error:
            lines.append(fonts.printable(result.error))
        elif not result.hits:
            lines.append("no hits")
        elif len(result.hits) > MOST_HITS:
            lines.append(f"and {len(result.hits) - MOST_HITS:,} more hits")
        yield "\n".join(lines)


def import_chafa() -> Any:
    """Import chafa.py, an extra; raises UsageError where it cannot be."""
    try:
        import chafa
    except (ImportError, OSError) as error:
        if isinstance(error, ModuleNotFoundError):
            hint = "install it with: pip install 'vecsearch[preview]'"
        else:  # on Linux it wants the system's glib
            hint = f"it is installed, but: {' '.join(str(error).split())}"
        raise UsageError("a preview needs chafa.py", hint=hint) from None
    return chafa


@dataclass(frozen=True, slots=True)
class _Tile:
    """A picture, and the lines below it: a head and something at its right end, and a name."""

    picture: Thumbnail
    head: str
    right: str
    name: str


@dataclass(frozen=True, slots=True)
class _Row:
    tiles: Sequence[_Tile]
    width: int
    """Cells across each picture."""


def _asked(result: Result, names: Mapping[Path, str], thumbnails: Thumbnails) -> Iterator[_Tile]:
    query_images = result.asked or (QueryImage(result.query, result.path),)
    signed = any(one.minus for one in query_images)
    for one in query_images[:MOST_QUERY_IMAGES]:
        head = "query" if not signed else "\u2212 query" if one.minus else "+ query"
        name = one.name if one.path is None or one.word else names[one.path]
        yield _Tile(thumbnails.look_at(one), head, "", name)


def _hits(result: Result, names: Mapping[Path, str], thumbnails: Thumbnails) -> Iterator[_Tile]:
    for hit in result.hits[:MOST_HITS]:
        score = f"{round(hit.score, 3) + 0.0:.3f}"  # + 0.0 so that no hit scores "-0.000"
        yield _Tile(thumbnails.get(hit.path), str(hit.rank), score, names[hit.path])


def _rows(tiles: Sequence[_Tile], columns: int) -> Iterator[_Row]:
    """Share *tiles* out among rows that are about even, as large as they fit."""
    most = max(1, (columns + _GAP) // (_NARROWEST + _GAP))
    rows = -(-len(tiles) // most)
    across = -(-len(tiles) // rows)
    width = max(2, min(_WIDEST, (columns + _GAP) // across - _GAP))
    for start in range(0, len(tiles), across):
        yield _Row(tiles[start : start + across], width)


def _draw_row(chafa: Any, row: _Row, terminal: Terminal) -> list[str]:
    """Draw pictures side by side as a single one, so that every protocol keeps them in a line."""
    across, down = terminal.cell
    side = row.width * across
    # Where blocks would be part picture, part nothing, they would come out grey.
    step = (across, down // 2) if terminal.mode == "blocks" else (1, 1)
    pictures = [_fit(tile.picture.image, side, step) for tile in row.tiles]
    cells_down = -(-max(picture.height for picture in pictures) // down)
    cells_across = len(pictures) * (row.width + _GAP) - _GAP
    image = Image.new("RGBA", (cells_across * across, cells_down * down))
    for i, picture in enumerate(pictures):
        x = i * (row.width + _GAP) * across + (side - picture.width) // 2 // step[0] * step[0]
        image.paste(picture, (x, image.height - picture.height))
    lines = [_encode(chafa, image, cells_across, cells_down, terminal)]
    lines.append(_captions(row, [_ends(tile, row.width) for tile in row.tiles]))
    names = [fonts.break_name(fonts.printable(t.name), cell_len, row.width) for t in row.tiles]
    for number in range(max(map(len, names))):
        lines.append(_captions(row, ["".join(own[number : number + 1]) for own in names]))
    if any(tile.picture.reason for tile in row.tiles):
        reasons = [fonts.cut_middle(t.picture.reason, cell_len, row.width) for t in row.tiles]
        lines.append(_captions(row, reasons))
    return lines


def _fit(image: Image.Image, side: int, step: tuple[int, int]) -> Image.Image:
    """Scale *image* to fit *side* x *side* pixels, its width and height multiples of *step*."""
    scale = min(side / max(image.size), MOST_ENLARGED)
    size = [
        max(one, round(length * scale / one) * one)
        for length, one in zip(image.size, step, strict=True)
    ]
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _ends(tile: _Tile, width: int) -> str:
    if len(tile.head) + len(tile.right) >= width:
        return tile.head[:width]
    return tile.head + tile.right.rjust(width - len(tile.head))


def _captions(row: _Row, texts: Sequence[str]) -> str:
    padded = (text + " " * (row.width - cell_len(text)) for text in texts)
    return (" " * _GAP).join(padded).rstrip()


def _encode(chafa: Any, image: Image.Image, columns: int, rows: int, terminal: Terminal) -> str:
    config = chafa.CanvasConfig()
    config.width, config.height = columns, rows
    config.cell_width, config.cell_height = terminal.cell
    config.pixel_mode = {
        "kitty": chafa.PixelMode.CHAFA_PIXEL_MODE_KITTY,
        "iterm2": chafa.PixelMode.CHAFA_PIXEL_MODE_ITERM2,
        "sixel": chafa.PixelMode.CHAFA_PIXEL_MODE_SIXELS,
        "blocks": chafa.PixelMode.CHAFA_PIXEL_MODE_SYMBOLS,
    }[terminal.mode]
    if terminal.mode == "blocks":
        _set_blocks(chafa, config, terminal.colours)
    elif terminal.within:
        config.passthrough = {
            "tmux": chafa.Passthrough.CHAFA_PASSTHROUGH_TMUX,
            "screen": chafa.Passthrough.CHAFA_PASSTHROUGH_SCREEN,
        }[terminal.within]
    canvas = chafa.Canvas(config)
    pixels = chafa.PixelType.CHAFA_PIXEL_RGBA8_UNASSOCIATED
    canvas.draw_all_pixels(pixels, image.tobytes(), image.width, image.height, 4 * image.width)
    # The sequences that all terminals of a kind know; what this one knows has been looked up.
    return bytes(canvas.print(chafa.TermDb().get_fallback_info())).decode()


def _set_blocks(chafa: Any, config: Any, colours: Colours) -> None:
    config.canvas_mode = {
        "all": chafa.CanvasMode.CHAFA_CANVAS_MODE_TRUECOLOR,
        "256": chafa.CanvasMode.CHAFA_CANVAS_MODE_INDEXED_240,
        "16": chafa.CanvasMode.CHAFA_CANVAS_MODE_INDEXED_16,
        "none": chafa.CanvasMode.CHAFA_CANVAS_MODE_FGBG,
    }[colours]
    symbols = chafa.SymbolMap()
    if colours == "none":  # dots tell more than blocks of one colour
        symbols.add_by_tags(chafa.SymbolTags.CHAFA_SYMBOL_TAG_BRAILLE)
        config.dither_mode = chafa.DitherMode.CHAFA_DITHER_MODE_DIFFUSION
    else:
        for tag in ("SPACE", "SOLID", "HALF"):
            symbols.add_by_tags(getattr(chafa.SymbolTags, f"CHAFA_SYMBOL_TAG_{tag}"))
    config.set_symbol_map(symbols)


def _multiplexer(environment: Mapping[str, str]) -> Literal["", "tmux", "screen"]:
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") or term.startswith("screen") else ""


def _size(stream: TextIO, environment: Mapping[str, str]) -> tuple[int, tuple[int, int]]:
    """Return the terminal's width in characters, and a character's size in pixels."""
    columns, cell = 80, _USUAL_CELL
    try:
        columns = os.get_terminal_size(stream.fileno()).columns or columns
        from fcntl import ioctl
        from struct import unpack
        from termios import TIOCGWINSZ

        down, across, width, height = unpack("HHHH", ioctl(stream.fileno(), TIOCGWINSZ, bytes(8)))
        if min(down, across) > 0 and min(width // across, height // down) >= 4:
            cell = (width // across, height // down)
    except (OSError, ValueError, ImportError):  # no terminal; Windows
        pass
    wanted = environment.get("COLUMNS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else columns, cell

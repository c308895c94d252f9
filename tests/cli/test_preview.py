"""Previews in the terminal: escape sequences are read back, as a terminal reads them."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len
from samples import Run

from vecsearch.errors import UsageError
from vecsearch.types import Hit, QueryImage, Result
from vecsearch.view.terminal import Mode, Terminal, draw_results, look_at

pytest.importorskip("chafa", reason="there are no wheels for this Python")

RGB = tuple[int, int, int]
COLOURS: list[RGB] = [(200, 30, 30), (30, 160, 40), (40, 60, 220)]
CELL = (10, 20)
WIDE = 24  # cells across a picture, where there is room


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """Two hits and what was asked, each of one colour, 2 : 1."""
    paths = [tmp_path / name for name in ("query.png", "猫.png", f"{'n' * 90}.png")]
    for path, colour in zip(paths, COLOURS, strict=True):
        Image.new("RGB", (480, 240), colour).save(path)
    hits = (Hit(1, 7, paths[1], 0.98765, 0.1), Hit(2, 8, paths[2], -0.0001, 0.2))
    return Result(str(paths[0]), paths[0], hits)


def draw(result: Result, mode: Mode = "blocks", **options: object) -> str:
    terminal = Terminal(mode, columns=100, cell=CELL)
    for name, value in options.items():
        object.__setattr__(terminal, name, value)
    (text,) = draw_results([result], terminal)
    return text


def near(one: tuple[int, ...], other: RGB, most: int = 4) -> bool:
    return all(abs(a - b) <= most for a, b in zip(one[:3], other, strict=True))


def middles(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the middles of the three pictures, two cells apart, in an image of *size*."""
    width, height = size
    unit = width / (3 * WIDE + 4)
    return [(int((i * (WIDE + 2) + WIDE / 2) * unit), height // 2) for i in range(3)]


def check_picture(image: Image.Image, most: int = 4) -> None:
    assert image.size == ((3 * WIDE + 4) * CELL[0], WIDE * CELL[0] // 2)
    rgba = image.convert("RGBA")
    for place, colour in zip(middles(image.size), COLOURS, strict=True):
        pixel = rgba.getpixel(place)
        assert isinstance(pixel, tuple)
        assert near(pixel, colour, most)
        assert pixel[3] == 255
    gap = rgba.getpixel((int((WIDE + 1) * CELL[0]), image.height // 2))
    assert isinstance(gap, tuple)
    assert gap[3] == 0


def from_kitty(text: str) -> tuple[Image.Image, dict[str, str]]:
    keys: dict[str, str] = {}
    payload = b""
    for control, _, data in (
        chunk.partition(";") for chunk in re.findall(r"\x1b_G(.*?)\x1b\\", text)
    ):
        given = dict(pair.split("=") for pair in control.split(","))
        assert len(data) <= 4096
        assert keys.get("m", "1") == "1"  # more was to come
        keys |= given
        payload += base64.b64decode(data, validate=True)
    assert keys["m"] == "0"
    size = (int(keys["s"]), int(keys["v"]))
    return Image.frombytes("RGBA", size, payload), keys


def test_kittys_protocol(result: Result) -> None:
    text = draw(result, "kitty")
    image, keys = from_kitty(text)
    check_picture(image)
    assert (keys["a"], keys["f"]) == ("T", "32")
    assert (keys["c"], keys["r"]) == (str(3 * WIDE + 4), str(WIDE // 4))
    left = re.sub(r"\x1b_G.*?\x1b\\", "", text, flags=re.DOTALL)
    assert "\x1b" not in left
    assert left.splitlines()[1].split() == ["query", "1", "0.988", "2", "0.000"]


def test_iterm2s_protocol(result: Result) -> None:
    text = draw(result, "iterm2")
    found = re.search(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07\n", text)
    assert found
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    assert keys["inline"] == "1"
    assert (keys["width"], keys["height"]) == (str(3 * WIDE + 4), str(WIDE // 4))
    with Image.open(io.BytesIO(base64.b64decode(found[2], validate=True))) as image:
        check_picture(image)


def from_sixels(text: str) -> Image.Image:
    found = re.fullmatch(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert found
    image = Image.new("RGBA", (int(found[1]), int(found[2])))
    pixels = image.load()
    assert pixels is not None
    palette: dict[int, RGB] = {}
    x = band = colour = 0
    for token in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+[?-~]|[?-~]|[$-]|.", found[3]):
        if token[0] == "#":
            number, *values = map(int, token[1:].replace(";2;", ";").split(";"))
            if values:
                red, green, blue = (round(value * 2.55) for value in values)
                palette[number] = (red, green, blue)
            else:
                colour = number
        elif token == "$":
            x = 0
        elif token == "-":
            x, band = 0, band + 6
        else:
            count = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - 63
            assert 0 <= bits < 64, token
            for column in range(x, x + count):
                for bit in range(6):
                    if bits >> bit & 1:
                        pixels[column, band + bit] = (*palette[colour], 255)
            x += count
    return image


def test_sixels(result: Result) -> None:
    text = draw(result, "sixel")
    check_picture(from_sixels(text[: text.index("\x1b\\") + 2]), most=12)


Cell = tuple[RGB | None, RGB | None]


def from_blocks(lines: list[str]) -> list[list[Cell]]:
    """Read cells as colours of their upper and lower half; None is the terminal's own ground."""
    rows = []
    for line in lines:
        row: list[Cell] = []
        front: RGB | None = None
        back: RGB | None = None
        swapped = False
        for sequence, character in re.findall(r"\x1b\[([\d;]*)m|([^\x1b])", line):
            if character:
                halves: dict[str, Cell] = {
                    " ": (back, back), "█": (front, front), "▀": (front, back), "▄": (back, front),
                }  # fmt: skip
                assert character == " " or not swapped
                row.append((front, front) if swapped else halves[character])
                continue
            codes = list(map(int, sequence.split(";")))
            while codes:
                code = codes.pop(0)
                if code == 0:
                    front, back, swapped = None, None, False
                elif code == 7:
                    swapped = True
                else:
                    assert code in (38, 48)
                    assert codes.pop(0) == 2
                    red, green, blue = codes[:3]
                    del codes[:3]
                    if code == 38:
                        front = (red, green, blue)
                    else:
                        back = (red, green, blue)
        rows.append(row)
    return rows


def test_half_blocks(result: Result) -> None:
    lines = draw(result).splitlines()
    rows = from_blocks(lines[: WIDE // 4])
    assert {len(row) for row in rows} == {3 * WIDE + 4}
    for row in rows:
        for i, colour in enumerate(COLOURS):
            start = i * (WIDE + 2)
            for above, below in row[start : start + WIDE]:
                assert above is not None
                assert below is not None
                assert near(above, colour)
                assert near(below, colour)
            assert all(cell == (None, None) for cell in row[start + WIDE : start + WIDE + 2])
    assert lines[WIDE // 4].split() == ["query", "1", "0.988", "2", "0.000"]


@pytest.mark.parametrize("size", [(480, 250), (470, 100), (111, 240), (600, 60)])
def test_no_block_is_part_picture_and_part_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", size, COLOURS[0]).save(path)
    lines = draw(Result("a", path, ())).splitlines()
    rows = from_blocks(lines[: next(i for i, line in enumerate(lines) if "query" in line)])
    halves = [half for row in rows for cell in row for half in cell if half is not None]
    assert halves
    assert all(near(half, COLOURS[0]) for half in halves)


def test_fewer_colours_and_none(result: Result) -> None:
    assert "\x1b[38;2;" not in draw(result, colours="256")
    assert re.search(r"[34]8;5;\d+", draw(result, colours="256"))
    assert not re.search(r"[34]8;", draw(result, colours="16"))
    plain = draw(result, colours="none")
    assert "\x1b" not in plain
    assert len(set("".join(plain.splitlines()[: WIDE // 4]))) > 1  # something is seen


@pytest.mark.parametrize("columns", [1, 10, 30, 61, 80, 200])
def test_rows_fit_the_width_and_names_stand_below_their_pictures(
    tmp_path: Path, columns: int
) -> None:
    names = ["a.png", "猫" * 40 + ".png", "\x1b[31mred\n.png", "e\u0301" * 50, "🍕🍔.png", "x" * 99]
    hits = tuple(Hit(i, i, tmp_path / name, 0.5, 0.5) for i, name in enumerate(names, start=1))
    text = draw(Result("q", None, hits), colours="none", columns=columns)
    assert "\x1b" not in text
    narrowest = max(columns, 2)
    assert all(cell_len(line) <= narrowest for line in text.splitlines())
    if columns >= 14:
        lines = text.splitlines()
        for rank in range(1, 7):
            head = next(line for line in lines if re.search(rf"(^|  ){rank} +0\.500", line))
            below = lines[lines.index(head) + 1 :][:3]  # the name has two lines in some rows
            assert any("gone" in line for line in below)


def test_names_tell_pictures_apart_and_take_two_lines(tmp_path: Path) -> None:
    names = ["panda/image_0001.png", "brontosaurus_skeleton/image_0001.png"]
    hits = tuple(Hit(i, i, tmp_path / name, 0.5, 0.5) for i, name in enumerate(names, start=1))
    lines = draw(Result("q", None, hits), colours="none", columns=80).splitlines()
    first = next(line for line in lines if "panda/image_0001.png" in line)
    assert "brontosaurus_skeleton/" in first
    assert lines[lines.index(first) + 1].strip() == "image_0001.png"


def test_pictures_asked_of_which_some_are_subtracted_and_the_rest_counted(result: Result) -> None:
    assert result.path is not None
    data = result.path.read_bytes()
    asked = tuple(QueryImage(f"p{i}", None, data, minus=i == 1) for i in range(8))
    text = draw(Result("many", None, (), asked, "could not\nbe read"), colours="none")
    assert re.findall(r"\S query", text) == ["+ query", "\u2212 query", *["+ query"] * 4]
    assert "and 2 more asked" in text
    assert "could not\ufffdbe read" in text
    assert "no hits" not in text
    assert "no hits" in draw(Result("many", None, (), asked))


def test_very_many_hits_are_counted(result: Result) -> None:
    hits = tuple(Hit(i, i, result.hits[0].path, 0.5, 0.5) for i in range(1, 121))
    text = draw(Result(result.query, result.path, hits), colours="none")
    assert text.endswith("\nand 70 more hits")
    assert text.count("0.500") == 50


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "mode", "colours"),
    [
        ({"TERM": "xterm-kitty"}, "kitty", "all"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2", "all"),
        ({"TERM": "foot"}, "sixel", "256"),
        ({"TERM": "foot", "COLORTERM": "truecolor"}, "sixel", "all"),
        ({"TERM": "linux"}, "blocks", "16"),
        ({"TERM": "dumb"}, "blocks", "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "blocks", "none"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux,1,0"}, "blocks", "all"),
        ({"TERM": "screen-256color"}, "blocks", "256"),
    ],
)
def test_the_environment_tells_what_a_terminal_can(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], mode: Mode, colours: str
) -> None:
    for name in os.environ:
        if name.startswith(("TERM", "COLOR", "TMUX", "STY", "LC_", "NO_COLOR", "KITTY")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "132")
    terminal = look_at(Screen())
    assert (terminal.mode, terminal.colours, terminal.columns) == (mode, colours, 132)
    assert look_at(io.StringIO()).mode == "blocks"
    assert look_at(Screen(), "sixel").mode == "sixel"


def test_tmux_is_told_to_pass_pictures_on(result: Result) -> None:
    text = draw(result, "sixel", within="tmux")
    passed = re.findall(r"\x1bPtmux;(.*?[^\x1b])\x1b\\", text, re.DOTALL)
    inner = "".join(passed).replace("\x1b\x1b", "\x1b")
    check_picture(from_sixels(inner[inner.index("\x1bP") :].rstrip("\n")), most=12)


def test_the_preview_stands_above_the_table(run: Run, index: Path) -> None:
    arguments = ("query", "id:1", "id:2", "-k", "2", "-i", index)
    table = run(*arguments).stdout
    shown = run(*arguments, "--preview", COLORTERM="truecolor", TERM="xterm").stdout
    assert shown.endswith(f"\n\n{table}")
    assert shown.count("query") == 2
    assert re.search(r"[▀▄█ ]", shown)
    assert "\x1b[" in shown
    assert "\x1b_G" in run(*arguments, "--preview-mode", "kitty").stdout
    assert "\x1b_G" in run(*arguments, VECSEARCH_QUERY_PREVIEW_MODE="kitty").stdout
    assert "\x1b[" in run(*arguments, VECSEARCH_QUERY_PREVIEW="1", TERM="xterm").stdout
    assert "kitty" in run(*arguments, "--preview-mode", "vt52", code=2).stderr


def test_what_programs_read_stays_clean(run: Run, index: Path) -> None:
    done = run("query", "id:1", "-i", index, "--preview", "--json")
    assert len(json.loads(done.stdout)[0]["hits"]) == 5
    assert "\x1b[" in done.stderr
    done = run("recommend", "-i", index, "-k", "2", "--no-sheets", "--preview", "--json")
    assert len(json.loads(done.stdout)) == 12
    assert done.stderr.count("query") == 12


def test_without_chafa_the_extra_is_named_at_once(
    run_process: Run, index: Path, tmp_path: Path
) -> None:
    package = tmp_path / "without" / "chafa"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('No module', name='chafa')")
    path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
    query = ("query", "id:1", "--preview", "-i")
    done = run_process(*query, "no index", code=2, PYTHONPATH=path)
    assert "pip install 'vecsearch[preview]'" in done.stderr
    assert not done.stdout
    (package / "__init__.py").write_text("raise ImportError('libglib-2.0 was not found')")
    done = run_process(*query, index, code=2, PYTHONPATH=path)
    assert "libglib-2.0 was not found" in done.stderr


def test_without_chafa_the_library_raises(monkeypatch: pytest.MonkeyPatch, result: Result) -> None:
    monkeypatch.setitem(sys.modules, "chafa", None)
    with pytest.raises(UsageError, match="preview"):
        draw(result)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_in_a_terminal_that_knows_kittys_protocol(index: Path, tmp_path: Path) -> None:
    """The real command on a pseudo-terminal of 90 columns, whose cells are 8 x 16 pixels."""
    code = """
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 90, 720, 640))
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    command = [sys.executable, "-c", code, "-m", "vecsearch.cli.main"]
    arguments = ["query", "id:1", "-k", "2", "-i", str(index), "--preview"]
    environment = {**os.environ, "TERM": "xterm-kitty"}
    for name in ("TMUX", "STY", "COLUMNS", "NO_COLOR"):
        environment.pop(name, None)
    done = subprocess.run(
        [*command, *arguments], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    image, keys = from_kitty(done.stdout.decode())
    assert keys["c"] == str(3 * WIDE + 4)
    assert image.width == (3 * WIDE + 4) * 8

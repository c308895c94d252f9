"""Contact sheets: what is drawn where, and what is left on disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vecsearch.errors import UsageError, VecsearchError
from vecsearch.types import Hit, QueryImage, Result
from vecsearch.view import fonts, image_files, sheet
from vecsearch.view.scene import Text
from vecsearch.view.thumbnails import MOST_ENLARGED, PLATE, Thumbnails

Colour = tuple[int, int, int]

COLOURS: list[Colour] = [
    (200, 30, 30), (30, 160, 40), (40, 60, 220), (230, 200, 20), (150, 30, 170), (20, 180, 190),
    (240, 130, 20), (90, 60, 30), (120, 200, 90), (250, 120, 180), (70, 70, 70), (10, 30, 90),
]  # fmt: skip


def paint(path: Path, colour: Colour, size: tuple[int, int] = (100, 100)) -> Path:
    with path.open("wb") as file:
        Image.new("RGB", size, colour).save(file, "BMP")
    return path


def result_of(query: Path | None, *hits: Path, label: str = "") -> Result:
    found = (Hit(i, 100 + i, path, 1 - i / 64, 0.1 * i) for i, path in enumerate(hits, start=1))
    return Result(label or str(query), query, tuple(found))


def draw(result: Result, folder: Path) -> Image.Image:
    out = folder / "sheet.png"
    sheet.draw_sheet(result, out)
    with Image.open(out) as image:
        return image.convert("RGB")


def middle(column: int, row: int = 0) -> tuple[int, int]:
    """Return the middle of a hit's tile, or with column -1 of the query's."""
    x = sheet.MARGIN if column < 0 else sheet.MARGIN + sheet.TILE + 2 * sheet.GUTTER
    x += max(0, column) * (sheet.TILE + sheet.GAP)
    y = sheet.MARGIN + sheet.HEADING + row * (sheet.TILE + sheet.CAPTION + sheet.ROW_GAP)
    return x + sheet.TILE // 2, y + sheet.TILE // 2


def at(image: Image.Image, place: tuple[int, int], dx: int = 0, dy: int = 0) -> Colour:
    pixel = image.getpixel((place[0] + dx, place[1] + dy))
    assert isinstance(pixel, tuple)
    return (int(pixel[0]), int(pixel[1]), int(pixel[2]))


def inked(image: Image.Image, box: tuple[int, int, int, int]) -> int:
    """Count the pixels in *box* that are not paper."""
    part = image.crop(box).convert("L")
    return sum(count for value, count in enumerate(part.histogram()) if value < 200)


@pytest.mark.parametrize("hits", [1, 2, 3, 5, 6])
def test_up_to_six_hits_stand_in_one_row_beside_the_query(tmp_path: Path, hits: int) -> None:
    query = paint(tmp_path / "query.bmp", (255, 0, 255))
    paths = [paint(tmp_path / f"c{i}.bmp", COLOURS[i]) for i in range(hits)]
    image = draw(result_of(query, *paths), tmp_path)
    assert at(image, middle(-1)) == (255, 0, 255)
    assert [at(image, middle(i)) for i in range(hits)] == COLOURS[:hits]
    one_row = sheet.MARGIN * 2 + sheet.HEADING + sheet.TILE + sheet.CAPTION
    assert image.height == one_row
    assert image.width == middle(hits - 1)[0] + sheet.TILE // 2 + sheet.MARGIN


def test_more_hits_wrap_in_rank_order(tmp_path: Path) -> None:
    query = paint(tmp_path / "query.bmp", (255, 0, 255))
    paths = [paint(tmp_path / f"c{i}.bmp", colour) for i, colour in enumerate(COLOURS)]
    image = draw(result_of(query, *paths), tmp_path)
    columns = sheet.columns_for(len(COLOURS))
    assert columns < len(COLOURS)
    places = [middle(i % columns, i // columns) for i in range(len(COLOURS))]
    assert [at(image, place) for place in places] == COLOURS


def test_every_number_of_hits_has_rows_that_come_out_nearly_even() -> None:
    for hits in range(1, 51):
        columns = sheet.columns_for(hits)
        rows = -(-hits // columns)
        assert 0 <= rows * columns - hits < columns
        assert rows * columns - hits <= max(2, columns // 2)
        assert hits <= 6 or rows > 1
    assert sheet.columns_for(0) == 1
    assert sheet.columns_for(50) == 10


@pytest.mark.parametrize("size", [(600, 100), (100, 600), (200, 200), (2000, 30)])
def test_pictures_keep_their_shape_and_are_centred(tmp_path: Path, size: tuple[int, int]) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0], size)
    image = draw(result_of(query), tmp_path)
    scale = sheet.TILE / max(size)
    for axis in (0, 1):
        half = max(1, round(size[axis] * scale)) / 2
        step = [0, 0]
        for sign in (-1, 1):
            step[axis] = sign * (int(half) - 2 if half > 3 else 0)
            assert at(image, middle(-1), *step) == COLOURS[0]
            step[axis] = sign * (int(half) + 3)
            outside = at(image, middle(-1), *step)
            assert outside in (PLATE, sheet.PAPER)


def test_small_pictures_are_enlarged_but_tiny_ones_not_without_end(tmp_path: Path) -> None:
    small = paint(tmp_path / "small.bmp", COLOURS[0], (100, 50))
    tiny = paint(tmp_path / "tiny.bmp", COLOURS[1], (10, 10))
    thumbnails = Thumbnails(220)
    assert thumbnails.get(small).image.size == (220, 110)
    assert thumbnails.get(tiny).image.size == (10 * MOST_ENLARGED, 10 * MOST_ENLARGED)


def test_a_nearly_square_picture_fills_its_tile(tmp_path: Path) -> None:
    edge = sheet.TILE // 2 - 1
    for size in ((100, 94), (94, 100)):
        query = paint(tmp_path / "query.bmp", COLOURS[0], size)
        image = draw(result_of(query), tmp_path)
        for dx, dy in ((-edge, 0), (edge, 0), (0, -edge), (0, edge)):
            assert at(image, middle(-1), dx, dy) == COLOURS[0]


@pytest.mark.parametrize("size", [(100, 100), (100, 95), (100, 40)])
def test_a_dark_picture_has_no_pale_line_at_its_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0], size)
    image = draw(result_of(query), tmp_path)
    across = [at(image, middle(-1), dx) for dx in range(-sheet.TILE // 2 - 6, 0)]
    assert set(across) == {sheet.PAPER, COLOURS[0]}
    # What would be lost on the paper has a line around it.
    query = paint(tmp_path / "query.bmp", (255, 255, 255), size)
    image = draw(result_of(query), tmp_path)
    across = [at(image, middle(-1), dx) for dx in range(-sheet.TILE // 2 - 6, 0)]
    assert across.count(sheet.HAIRLINE) == sheet.EDGE


def test_rows_are_as_high_as_their_names_need(tmp_path: Path) -> None:
    folders = ["a", "a", "a", "a", "a_folder_of_a_name", "a", "a", "a"]
    paths = [tmp_path / folder / f"image_{i}.bmp" for i, folder in enumerate(folders)]
    for i, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        paint(path, COLOURS[i])
    query = paint(tmp_path / "query.bmp", (255, 0, 255))
    columns = sheet.columns_for(len(paths))
    assert columns == 4
    scene = sheet.lay_out(result_of(query, *paths), sheet.new_thumbnails())
    written = {item.text: item for item in scene.items if isinstance(item, Text)}
    assert {"a_folder_of_a_name/", "image_4.bmp", "a/image_0.bmp"} <= set(written)
    assert written["image_4.bmp"].y - written["a_folder_of_a_name/"].y == sheet.LINE
    rows = sheet.TILE + sheet.CAPTION + sheet.ROW_GAP
    assert written["5"].y - written["1"].y == rows  # its own row is higher, not the one above
    assert scene.height == 2 * sheet.MARGIN + sheet.HEADING + 2 * rows - sheet.ROW_GAP + sheet.LINE


def test_files_that_are_gone_or_broken_get_different_stand_ins(tmp_path: Path) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    good = paint(tmp_path / "good.bmp", COLOURS[1])
    image = draw(result_of(query, tmp_path / "gone.jpg", broken, good), tmp_path)

    def tile(column: int) -> Image.Image:
        (x, y), half = middle(column), sheet.TILE // 2
        return image.crop((x - half, y - half, x + half, y + half))

    assert tile(0).tobytes() != tile(1).tobytes()
    assert at(image, middle(2)) == COLOURS[1]  # no shift of the others
    for column in (0, 1):
        words = (0, int(sheet.TILE * 0.68), sheet.TILE, int(sheet.TILE * 0.8))
        assert inked(tile(column), words) > 50


def test_query_that_is_gone_and_query_without_picture(tmp_path: Path) -> None:
    hit = paint(tmp_path / "hit.bmp", COLOURS[1])
    for query in (tmp_path / "gone.bmp", None):
        image = draw(result_of(query, hit, label="id:17"), tmp_path)
        assert at(image, middle(0)) == COLOURS[1]
        assert at(image, middle(-1), 100, 0) == PLATE
        x, y = middle(-1)
        label = (x - 110, y + 115, x + 110, y + 175)
        assert inked(image, label) > 20


def test_no_hits_is_said(tmp_path: Path) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0])
    image = draw(result_of(query), tmp_path)
    assert at(image, middle(-1)) == COLOURS[0]
    x, y = middle(0)
    assert inked(image, (x - 110, y - 20, x + 110, y + 20)) > 20


def test_file_names_that_are_no_text_are_drawn(tmp_path: Path) -> None:
    names = [b"caf\xe9.bmp", b"two\nlines\t.bmp", "башня.bmp".encode(), "猫.bmp".encode()]
    try:
        paths = [paint(tmp_path / os.fsdecode(name), COLOURS[0]) for name in names]
    except OSError:
        pytest.skip("this file system has no such names")
    label = os.fsdecode(b"\xff\xfe")
    image = draw(result_of(None, *paths, label=label), tmp_path)
    assert [at(image, middle(i)) for i in range(4)] == [COLOURS[0]] * 4


def test_long_names_lose_their_middle_and_keep_their_extension() -> None:
    font = fonts.load(17)
    for name in ("W" * 80 + ".jpeg", "i" * 200 + ".png", "no extension at all " * 9, "." * 99):
        short = fonts.shorten(name, font, 220)
        assert font.getlength(short) <= 220
        assert font.getlength(short) > 180  # nothing is given away
        assert "…" in short
        assert short[0] == name[0]
        assert short.endswith(name[-4:])
    assert fonts.shorten("short.jpg", font, 220) == "short.jpg"
    assert fonts.shorten("W" * 30 + ".jpeg", font, 220).endswith(".jpeg")


def test_printable_replaces_what_cannot_be_drawn() -> None:
    assert fonts.printable(os.fsdecode(b"caf\xe9")) == "caf\ufffd"
    assert fonts.printable("a\nb\u202ec") == "a\ufffdb\ufffdc"
    assert fonts.printable("cafe\u0301.jpg") == "café.jpg"  # as macOS stores it
    assert fonts.printable("北京 башня.jpg") == "北京 башня.jpg"


def test_without_matplotlib_pillows_own_font_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fonts.load.cache_clear()
    try:
        assert fonts.load(17).getlength("burger.jpg") > 0
        assert fonts.load(17).getname()[0] != "DejaVu Sans"
    finally:
        fonts.load.cache_clear()


def test_drawing_a_sheet_imports_nothing_heavy(tmp_path: Path) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0])
    code = (
        "import sys; from pathlib import Path; from vecsearch.types import Hit, Result;"
        "from vecsearch.view.sheet import draw_sheet;"
        "path = Path(sys.argv[1]); hits = (Hit(1, 1, path, 0.5, 1.0),);"
        "draw_sheet(Result('q', path, hits), path.with_suffix('.png'));"
        "draw_sheet(Result('q', path, hits), path.with_suffix('.svg'));"
        "heavy = {'torch', 'torchvision', 'sklearn', 'scipy', 'matplotlib', 'faiss', 'openvino'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(query)], check=True)


def test_the_same_result_gives_the_same_file(tmp_path: Path) -> None:
    query = paint(tmp_path / "query.bmp", COLOURS[0])
    result = result_of(query, query, tmp_path / "gone.png")
    thumbnails = sheet.new_thumbnails()
    sheet.draw_sheet(result, tmp_path / "a.png")
    for name in ("b.png", "c.png"):
        sheet.draw_sheet(result, tmp_path / name, thumbnails=thumbnails)
        assert (tmp_path / name).read_bytes() == (tmp_path / "a.png").read_bytes()


def test_thumbnails_are_kept_within_their_budget(tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"c{i}.bmp", COLOURS[i]) for i in range(4)]
    thumbnails = Thumbnails(50, budget_bytes=3 * 50 * 50 * 2)  # room for two
    first = thumbnails.get(paths[0])
    thumbnails.get(paths[1])
    assert thumbnails.get(paths[0]) is first
    thumbnails.get(paths[2])  # drops the second, used longest ago
    assert thumbnails.get(paths[0]) is first
    for path in paths[:3]:
        path.unlink()
    assert thumbnails.get(paths[2]).image.getpixel((25, 25)) == COLOURS[2]
    assert thumbnails.get(paths[1]).image.getpixel((1, 25)) == PLATE


def test_a_very_long_result_is_drawn_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "MOST_HITS", 4)
    path = paint(tmp_path / "a.bmp", COLOURS[0])
    image = draw(result_of(path, *[path] * 9), tmp_path)
    assert image.width == middle(3)[0] + sheet.TILE // 2 + sheet.MARGIN


@pytest.mark.parametrize(
    ("ending", "kind"),
    [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP"), (".tif", "TIFF")],
)
def test_the_ending_names_the_format(tmp_path: Path, ending: str, kind: str) -> None:
    out = tmp_path / "new" / "folder" / f"sheet{ending}"
    image_files.write_image(Image.new("RGB", (30, 20), COLOURS[0]), out)
    with Image.open(out) as image:
        assert (image.format, image.size) == (kind, (30, 20))
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def texts(result: Result) -> list[str]:
    scene = sheet.lay_out(result, sheet.new_thumbnails())
    return [item.text for item in scene.items if isinstance(item, Text)]


def small_middle(number: int) -> tuple[int, int]:
    """Return the middle of one of many pictures that are asked at once."""
    x = sheet.MARGIN + number % 2 * (sheet.SMALL_TILE + sheet.SMALL_GAP)
    y = sheet.MARGIN + sheet.HEADING + number // 2 * (sheet.SMALL_TILE + sheet.SMALL_CAPTION)
    return x + sheet.SMALL_TILE // 2, y + sheet.SMALL_TILE // 2


def test_a_query_of_many_pictures_shows_them_small_with_their_signs(tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"c{i}.bmp", COLOURS[i]) for i in range(5)]
    asked = tuple(QueryImage(str(path), path, minus=i == 2) for i, path in enumerate(paths))
    image = draw(Result("many", None, result_of(None, *paths).hits, asked), tmp_path)
    corner = 10 - sheet.SMALL_TILE // 2
    for i in range(5):
        assert at(image, small_middle(i)) == COLOURS[i]
        sign = sheet.MINUS if i == 2 else sheet.ACCENT
        assert at(image, small_middle(i), corner, corner) == sign
    assert [at(image, middle(i)) for i in range(5)] == COLOURS[:5]
    without = tuple(QueryImage(str(path), path) for path in paths)
    image = draw(Result("many", None, (), without), tmp_path)
    assert at(image, small_middle(2), corner, corner) == COLOURS[2]  # no minus, no signs
    assert image.height > small_middle(4)[1] + sheet.SMALL_TILE // 2 + sheet.MARGIN


def test_where_there_is_room_the_pictures_asked_stand_large_one_below_the_other(
    tmp_path: Path,
) -> None:
    paths = [paint(tmp_path / f"c{i}.bmp", COLOURS[i]) for i in range(8)]
    asked = (QueryImage("id:5", paths[1]), QueryImage("b.bmp", None, data=paths[2].read_bytes()))
    result = Result("two", None, result_of(None, *paths).hits, asked)
    image = draw(result, tmp_path)
    assert at(image, middle(-1)) == COLOURS[1]
    assert at(image, middle(-1, 1)) == COLOURS[2]
    assert {"c1.bmp", "id:5", "b.bmp"} <= set(texts(result))


def test_more_pictures_than_there_is_room_for_are_counted(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.bmp", COLOURS[0])
    asked = tuple(QueryImage(f"{i}", None, data=path.read_bytes()) for i in range(10))
    words = texts(Result("many", None, (), asked))
    assert [word for word in words if word.isdigit()] == ["0", "1", "2", "3", "4", "5"]
    assert "+ 4 more" in words


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_box_that_is_asked_is_outlined_on_the_upright_picture(
    tmp_path: Path, orientation: int
) -> None:
    # As it is looked at, 400 x 200; stored on its side with orientation 6.
    size = (400, 200) if orientation == 1 else (200, 400)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "query.png"
    Image.new("RGB", size, COLOURS[1]).save(path, exif=exif)
    asked = QueryImage("query.png", path, box=(300, 100, 80, 60))
    image = draw(Result("query.png", path, (), (asked,)), tmp_path)
    scale = sheet.TILE / 400
    inside = (round((340 - 200) * scale), round((130 - 100) * scale))
    assert at(image, middle(-1), *inside) == COLOURS[1]
    dimmed = at(image, middle(-1), -50, 0)
    assert sum(dimmed) < sum(COLOURS[1]) / 2
    edge = (inside[0], round((100 - 100) * scale) - 1)
    assert at(image, middle(-1), *edge) == (255, 255, 255)


@pytest.mark.parametrize(
    "box", [(0, 0, 400, 200), (399, 199, 1, 1), (0, 0, 1, 1), (390, 190, 900, 900)]
)
def test_a_box_at_the_edge_or_beyond_is_no_trouble(
    tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    path = paint(tmp_path / "query.bmp", COLOURS[1], (400, 200))
    draw(Result("query.bmp", path, (), (QueryImage("query.bmp", path, box=box),)), tmp_path)


def test_a_query_that_could_not_be_answered_says_why(tmp_path: Path) -> None:
    reason = "is not a picture; " + "and so on " * 30 + "/a/path" * 40
    result = Result("q", None, (), (QueryImage("q", None, data=b"no picture"),), reason)
    words = texts(result)
    assert "cannot be read" in words
    assert "no hits" not in words
    start = words.index("Not answered") + 1
    assert " ".join(words[start:]).startswith("is not a picture; and so on and so on")
    font = fonts.load(sheet.NAME_SIZE)
    image = draw(result, tmp_path)
    room = image.width - middle(0)[0] + sheet.TILE // 2 - sheet.MARGIN
    assert all(font.getlength(word) <= room for word in words[start:])


def test_a_heap_of_combining_marks_is_cut() -> None:
    assert fonts.printable("x" + "\u0323" * 40 + ".png") == "x" + "\u0323" * 3 + ".png"


def test_pillows_own_pdf(tmp_path: Path) -> None:
    out = tmp_path / "sheet.pdf"
    image_files.write_image(Image.new("RGB", (30, 20)), out)
    assert out.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["sheet.docx", "sheet", "sheet.mpg", ".png"])
def test_unknown_endings_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr(sheet, "paint")
    with pytest.raises(UsageError, match=r"\.png, \.jpg, \.webp") as caught:
        sheet.draw_sheet(result_of(tmp_path / "gone.png"), tmp_path / "new" / name)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["too_wide.webp", "only_black_and_white.xbm"])
def test_what_a_format_cannot_hold_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"try \.png") as caught:
        image_files.write_image(Image.new("RGB", (17000, 1)), tmp_path / name)
    assert name in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_failing_to_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sheet.png"
    out.write_bytes(b"old")

    def save(image: Image.Image, file: object, *_: object, **__: object) -> None:
        assert hasattr(file, "write")
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(VecsearchError, match="No space left") as caught:
        image_files.write_image(Image.new("RGB", (30, 20)), out)
    assert str(out) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert out.read_bytes() == b"old"


def test_a_file_where_the_folder_should_be_and_a_folder_where_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    image = Image.new("RGB", (30, 20))
    for out in (tmp_path / "file" / "sheet.png", tmp_path / "folder.png"):
        with pytest.raises(VecsearchError, match="cannot write"):
            image_files.write_image(image, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]

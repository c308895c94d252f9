"""When a picture was taken: read from its metadata, kept in the catalog, read late if it lacks."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from samples import CHEAP, draw

import vecsearch
from vecsearch import ListOptions
from vecsearch.errors import IndexFolderError, NotFoundError
from vecsearch.images.date_taken import HEAD_BYTES, date_taken, read_date
from vecsearch.store import migrate, schema, writer
from vecsearch.store.transaction import transaction

FORMATS = Path(__file__).parent.parent / "formats"

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
EXIF_IFD = 0x8769


def exif_of(**texts: object) -> Image.Exif:
    """Make EXIF of the tags that are given by name."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"  # without one, Pillow writes no EXIF into some formats
    inner = exif.get_ifd(EXIF_IFD)
    tags = {"original": ORIGINAL, "digitized": DIGITIZED, "part": 0x9291, "zone": 0x9011}
    for name, text in texts.items():
        if name == "changed":
            exif[CHANGED] = text
        else:
            inner[tags[name]] = text
    return exif


def picture(form: str = "JPEG", **options: object) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (64, 48), "red").save(file, form, **options)
        return file.getvalue()


def dated(path: Path, seed: int, text: str) -> Path:
    """Save a seeded JPEG whose EXIF have a date."""
    draw(path, seed)
    with Image.open(path) as image:
        image.load()
        image.save(path, exif=exif_of(original=text))
    return path


def xmp(body: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>{body}</rdf:RDF></x:xmpmeta>'.encode()


def dates_in(index: Path) -> dict[str, str | None]:
    with vecsearch.open_index(index) as opened:
        return {image.path.name: image.taken for image in opened}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_exif_of_every_format_is_read(form: str) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = exif_of(original="2026:08:01 12:30:15", part="250", zone="+02:00")
    assert date_taken(picture(form, exif=exif)) == "2026-08-01T12:30:15.25+02:00"
    assert date_taken(picture(form)) == ""


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_is_read_in_either_byte_order(order: str) -> None:
    text = b"2026:08:01 12:30:15\0"
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    first = struct.pack(f"{order}HHHIII", 1, EXIF_IFD, 4, 1, 26, 0)
    inner = struct.pack(f"{order}HHHIII", 1, ORIGINAL, 2, len(text), 44, 0)
    data = head + first + inner + text
    assert date_taken(data) == "2026-08-01T12:30:15"
    assert date_taken(data[:40]) == ""  # cut off


def test_what_comes_first_counts() -> None:
    later = {"digitized": "2021:01:01 00:00:00", "changed": "2022:01:01 00:00:00"}
    both = exif_of(original="2020:01:01 00:00:00", **later)
    assert date_taken(picture(exif=both)) == "2020-01-01T00:00:00"
    assert date_taken(picture(exif=exif_of(**later))) == "2021-01-01T00:00:00"
    broken = exif_of(original="0000:00:00 00:00:00", **later)
    assert date_taken(picture(exif=broken)) == "2021-01-01T00:00:00"
    changed = exif_of(changed="2022:01:01 00:00:00")
    assert date_taken(picture(exif=changed)) == "2022-01-01T00:00:00"
    # What a program that changed the file wrote comes after what XMP tell of the photograph.
    packet = xmp('<rdf:Description exif:DateTimeOriginal="2019-05-04T03:02:01+01:00"/>')
    assert date_taken(picture(exif=changed, xmp=packet)) == "2019-05-04T03:02:01+01:00"
    made = xmp("<xmp:CreateDate>2018-05-04T03:02</xmp:CreateDate>")
    assert date_taken(picture(exif=changed, xmp=made)) == "2022-01-01T00:00:00"
    for form in ("JPEG", "WEBP", "AVIF"):
        assert date_taken(picture(form, xmp=made)) == "2018-05-04T03:02:00"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026:08:01 12:30:15", "2026-08-01T12:30:15"),
        ("2026:08:01 12:30:15\0\0", "2026-08-01T12:30:15"),
        ("2026-08-01T12:30:15.500Z", "2026-08-01T12:30:15.5+00:00"),
        ("2026:08:01 12:30:  ", "2026-08-01T12:30:00"),
        ("2026:08:01", "2026-08-01"),
        ("1899:12:31 23:59:59", "1899-12-31T23:59:59"),
        ("0000:00:00 00:00:00", ""),
        ("    :  :     :  :  ", ""),
        ("0001:01:01 00:00:00", ""),
        ("2300:01:01 00:00:00", ""),
        ("2026:02:30 12:00:00", ""),
        ("2026:08:01 25:00:00", ""),
        ("2026", ""),
        ("٢٠٢٦:٠٨:٠١ 12:30:15", ""),
        ("\x1b[2J", ""),
        ("", ""),
    ],
)
def test_odd_dates_are_none(text: str, read: str) -> None:
    assert read_date(text) == read


def test_damaged_metadata_cost_no_picture(tmp_path: Path) -> None:
    data = picture(exif=exif_of(original="2026:08:01 12:30:15", zone="nonsense"))
    assert date_taken(data) == "2026-08-01T12:30:15"
    for place in range(0, 140):  # the header, the directories, the text
        date_taken(data[:place] + b"\xff" + data[place + 1 :])
        date_taken(data[:place])
    pointer = data.index(EXIF_IFD.to_bytes(2)) + 8  # Pillow writes EXIF in big-endian order
    outside = data[:pointer] + b"\x7f\xff\xff\xff" + data[pointer + 4 :]
    assert outside != data
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "outside.jpg").write_bytes(outside)
    index = vecsearch.build(folder, index=tmp_path / "ix", encoder=CHEAP).index
    assert dates_in(index) == {"outside.jpg": ""}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Four JPEGs, one a year, and a PNG without a date."""
    folder = tmp_path / "album"
    for number in range(4):
        dated(folder / f"d{number}.jpg", number, f"202{number}:08:0{number + 1} 12:30:15")
    draw(folder / "plain.png", 9)
    return folder


EXPECTED = {
    **{f"d{n}.jpg": f"202{n}-08-0{n + 1}T12:30:15" for n in range(4)},
    "plain.png": "",
}


def test_the_date_goes_with_the_picture(album: Path, tmp_path: Path) -> None:
    index = vecsearch.build(album, index=tmp_path / "ix", encoder=CHEAP).index
    assert dates_in(index) == EXPECTED
    (album / "d0.jpg").rename(album / "moved.jpg")
    os.utime(album / "d1.jpg", ns=(5, 5))
    dated(album / "d2.jpg", 20, "2025:01:02 03:04:05")
    vecsearch.build(index=index)
    now = {**EXPECTED, "moved.jpg": EXPECTED["d0.jpg"], "d2.jpg": "2025-01-02T03:04:05"}
    del now["d0.jpg"]
    assert dates_in(index) == now
    vecsearch.compact(index)
    merged = vecsearch.merge(index, index=tmp_path / "merged").index
    album.rename(tmp_path / "elsewhere")
    vecsearch.relocate(album, tmp_path / "elsewhere", index=index)
    for one in (index, merged):
        assert dates_in(one) == now
        assert vecsearch.verify(one).problems == ()


def test_the_date_goes_through_a_table(album: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    index = vecsearch.build(album, index=tmp_path / "ix", encoder=CHEAP).index
    vecsearch.export_vectors(tmp_path / "t.parquet", index=index)
    shutil.rmtree(album)
    options = vecsearch.ImportOptions(encoder=index)
    again = vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "b", options=options)
    assert dates_in(again.index) == {**EXPECTED, "plain.png": None}
    with vecsearch.open_index(again.index) as opened:
        taken = {one.path.name: one.taken for one in opened.list_images()}
    assert taken == EXPECTED


def test_dates_of_other_tables_are_believed_if_they_are_dates(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    texts = ["2026:08:01 12:30:15", "\x1b[2J", None, "2026-08-01" * 1000]
    numbers = {name: [1] * 4 for name in ("size_bytes", "mtime_ns", "width", "height")}
    vectors = [[float(n), 1.0] for n in range(4)]
    columns = {"path": list("abcd"), "vector": vectors, "taken": texts, **numbers}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    index = vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "ix").index
    with vecsearch.open_index(index) as opened:
        taken = [one.taken for one in opened.list_images()]
    assert taken == ["2026-08-01T12:30:15", "", "", ""]


def forget_dates(index: Path) -> None:
    """Let an index be as one of format 3 is after its migration."""
    with writer.open_writer(index) as one, transaction(index, one._connection) as db:
        db.execute("UPDATE images SET taken = NULL")


def test_dates_that_an_index_lacks_are_read_once(album: Path, tmp_path: Path) -> None:
    data = (album / "d1.jpg").read_bytes()
    comment = b"\xff\xfe" + (60_002).to_bytes(2) + bytes(60_000)
    (album / "d1.jpg").write_bytes(data[:2] + 5 * comment + data[2:])  # longer than its head
    with (album / "d0.jpg").open("ab") as file:
        file.write(bytes(2 * HEAD_BYTES))
    index = vecsearch.build(album, index=tmp_path / "ix", encoder=CHEAP).index
    forget_dates(index)
    (album / "d3.jpg").unlink()
    os.utime(album / "d2.jpg", ns=(7, 7))  # no longer what was indexed
    steps: list[tuple[int, int]] = []
    with vecsearch.open_index(index) as opened:
        hits = opened.query("id:5", options=vecsearch.QueryOptions(until="2021"), k=9)[0].hits
        assert {hit.path.name for hit in hits} == {"d0.jpg", "d1.jpg"}
        opened.read_dates(progress=lambda _, done, total: steps.append((done, total)))
    assert steps == []
    lacking = {"d2.jpg": None, "d3.jpg": None}
    assert dates_in(index) == {**EXPECTED, **lacking}
    generation = vecsearch.open_index(index).info().generation
    shutil.move(album / "d0.jpg", tmp_path / "d0.jpg")  # and not read again
    with vecsearch.open_index(index) as opened:
        opened.read_dates()
        assert opened.info().generation == generation
    assert dates_in(index) == {**EXPECTED, **lacking}


def test_an_update_fills_in_what_it_reads_and_embeds_nothing(album: Path, tmp_path: Path) -> None:
    index = vecsearch.build(album, index=tmp_path / "ix", encoder=CHEAP).index
    forget_dates(index)
    os.utime(album / "d2.jpg", ns=(7, 7))
    counts = vecsearch.build(index=index).counts
    assert (counts.unchanged, counts.changed, counts.added) == (5, 0, 0)
    assert dates_in(index) == {**dict.fromkeys(EXPECTED), "d2.jpg": EXPECTED["d2.jpg"]}


def refuse(folder: Path) -> None:
    raise IndexFolderError(f"{folder} cannot be written")


@pytest.mark.parametrize("number", [2, 3])
def test_an_index_of_format_3_is_read_where_it_cannot_be_written(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Path(shutil.copytree(FORMATS / f"{number}", tmp_path / "ix"))
    before = (index / "catalog.sqlite").read_bytes()
    for module in (migrate, writer):
        monkeypatch.setattr(module, "writer_lock", refuse)
    if number < schema.READ_FROM:
        with pytest.raises(IndexFolderError, match="cannot be written"):
            vecsearch.open_index(index)
        return
    with vecsearch.open_index(index) as opened:
        assert len(opened.query("id:1", k=3)[0].hits) == 3
        listed = list(opened.list_images(ListOptions(sort="taken")))
        assert len(listed) == len(opened)
        assert {one.taken for one in listed} == {""}
        last = datetime.fromisoformat(listed[-1].date)
        with pytest.raises(NotFoundError, match="no image taken since"):
            list(opened.list_images(ListOptions(since=last + timedelta(seconds=1))))
        assert list(opened.list_images(ListOptions(since=last)))
    assert (index / "catalog.sqlite").read_bytes() == before
    monkeypatch.undo()
    with vecsearch.open_index(index):
        assert schema.format_of(index) == schema.FORMAT


def test_dates_are_read_also_if_they_cannot_be_written_down(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = vecsearch.build(album, index=tmp_path / "ix", encoder=CHEAP).index
    forget_dates(index)
    monkeypatch.setattr(writer, "writer_lock", refuse)
    with vecsearch.open_index(index) as opened:
        options = ListOptions(since="2022", until="2023-08")
        names = [one.path.name for one in opened.list_images(options)]
        assert names == ["d2.jpg", "d3.jpg"]
        by_date = [one.path.name for one in opened.list_images(ListOptions(sort="taken"))]
        assert by_date == [*sorted(EXPECTED)]
    assert dates_in(index) == dict.fromkeys(EXPECTED)


def test_a_tar_is_read_too(album: Path, tmp_path: Path) -> None:
    tar = tmp_path / "album.tar"
    subprocess.run(["tar", "cf", tar, "-C", album, "."], check=True)
    index = vecsearch.build(tar, index=tmp_path / "ix", encoder=CHEAP).index
    assert dates_in(index) == EXPECTED
    forget_dates(index)
    with vecsearch.open_index(index) as opened:
        opened.read_dates()
    assert dates_in(index) == EXPECTED


def test_the_fixture_of_format_4_has_its_dates(tmp_path: Path) -> None:
    index = Path(shutil.copytree(FORMATS / "4", tmp_path / "ix"))
    dates = {name: taken for name, taken in dates_in(index).items() if taken}
    assert dates == {
        "d0.jpg": "2020-08-01T12:30:15",
        "d1.jpg": "2021-08-02T12:30:15",
        "d2.jpg": "2025-01-02T03:04:05",
        "d3.jpg": "2023-08-04T12:30:15",
    }

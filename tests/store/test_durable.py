"""Removing, compacting, verifying, repairing, migrating; and being interrupted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from samples import CHEAP, FRESH, Run, draw

import vecsearch
from vecsearch import (
    BuildOptions,
    EncoderConfig,
    IndexDamagedError,
    NotFoundError,
    UsageError,
)
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.weights import load_weights
from vecsearch.store import schema, sqlite
from vecsearch.store.migrate import migrate

FORMATS = Path(__file__).parent.parent / "formats"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def vectors_in(index: Path) -> dict[str, list[float]]:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        answers = list(opened.recommend(k=3))
    assert [answer.path for answer in answers] == [image.path for image in images]
    return {image.path.name: row for image, row in zip(images, vectors.tolist(), strict=True)}


def damage(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("targets", "gone"),
    [
        (["id:3", "id:4"], {"p0.png", "p1.png"}),
        (["photos/p5.png"], {"p5.png"}),
        (["photos/more"], {"p10.jpg", "p11.jpg"}),
        (["*.jpg", "p[67].png"], {"p10.jpg", "p11.jpg", "p6.png", "p7.png"}),
        (["*/more/*10*"], {"p10.jpg"}),
    ],
)
def test_removed_images_are_gone_and_stay_so(
    targets: list[str], gone: set[str], index: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    before = vectors_in(index)
    with vecsearch.open_index(index) as reader:
        reader.query("id:12")
        dry = vecsearch.remove(*targets, index=index, dry_run=True)
        assert {image.path.name for image in dry.removed} == gone
        assert len(reader) == 12
        report = vecsearch.remove(*targets, index=index)
        assert (report.removed, report.total) == (dry.removed, 12 - len(gone))
        hits = reader.query("id:12", k=50)[0].hits  # the same reader, asked again
        assert not gone & {hit.path.name for hit in hits}
    kept = {name: row for name, row in before.items() if name not in gone}
    assert vectors_in(index) == kept
    assert vecsearch.build(index=index).counts.skipped == len(gone)
    assert vectors_in(index) == kept
    assert all((photos / "more" / name).exists() or (photos / name).exists() for name in gone)
    again = vecsearch.build(index=index, options=BuildOptions(retry_skipped=True))
    assert again.counts.added == len(gone)
    assert vectors_in(index) == before


def test_names_with_brackets_are_meant_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dir [1]"
    names = ("IMG[1].png", "IMG1.png", "sub/IMG[1].png")
    for number, name in enumerate(names):
        draw(folder / name, number)
    index = vecsearch.build(folder, index=tmp_path / "ix", encoder=CHEAP).index
    monkeypatch.chdir(folder)

    def meant(target: str) -> list[str]:
        report = vecsearch.remove(target, index=index, dry_run=True)
        return [str(image.path.relative_to(folder)) for image in report.removed]

    assert meant("IMG[1].png") == ["IMG[1].png"]
    assert meant("./*.png") == ["IMG1.png", "IMG[1].png", "sub/IMG[1].png"]
    assert meant("sub/*") == ["sub/IMG[1].png"]
    assert len(meant(str(folder))) == 3
    monkeypatch.chdir(tmp_path)
    assert meant("IMG[1].png") == ["IMG[1].png", "sub/IMG[1].png"]
    assert len(meant("dir [1]")) == 3
    (folder / "IMG[1].png").unlink()
    vecsearch.build(index=index)
    monkeypatch.chdir(folder)
    (folder / "IMG[1].png").write_bytes(b"there, and not in the index")
    with pytest.raises(NotFoundError):
        meant("IMG[1].png")
    with pytest.raises(UsageError, match="empty"):
        meant("")


def test_verify_leaves_the_catalogs_locks_alone(index: Path) -> None:
    """Closing a file takes every lock that the process has on it."""
    path = index / "catalog.sqlite"
    writer = (
        "import apsw, pathlib; from vecsearch.store.sqlite import connect\n"
        f"db = connect(pathlib.Path({str(path)!r}), apsw.SQLITE_OPEN_READWRITE)\n"
        "db.set_busy_timeout(0)\n"
        "db.execute('BEGIN EXCLUSIVE')"
    )
    reader = schema.open_catalog(index, writing=False)
    reader.execute("BEGIN")
    sqlite.fetch(reader, "SELECT * FROM config")
    for look in (lambda: sqlite.damaged_pages(path), lambda: schema.format_of(index)):
        look()
        done = subprocess.run([sys.executable, "-c", writer], capture_output=True, check=False)
        assert b"BusyError" in done.stderr
    reader.close()


def test_another_index_in_the_folders_place_is_noticed(
    index: Path, photos: Path, tmp_path: Path
) -> None:
    with vecsearch.open_index(index) as reader:
        before = reader.query("id:1", k=20)
        for number in range(40, 50):
            draw(photos / f"n{number}.png", number)
        other = vecsearch.build(photos, index=tmp_path / "other", encoder=CHEAP).index
        index.rename(tmp_path / "away")
        other.rename(index)
        assert len(reader) == 22
        assert len(reader.query("id:1", k=30)[0].hits) == 21 > len(before[0].hits)


def test_nothing_is_removed_if_a_target_means_nothing(index: Path) -> None:
    for target in ("id:99", "nowhere.png", "*.gif", "mor*", "id:99999999999999999999"):
        with pytest.raises(NotFoundError, match="has no image"):
            vecsearch.remove("id:1", target, index=index)
    assert len(vectors_in(index)) == 12


def test_all_images_can_be_removed_and_come_back(index: Path, photos: Path) -> None:
    vecsearch.remove("*", index=index)
    with vecsearch.open_index(index) as opened:
        assert len(opened) == len(list(opened)) == len(opened.vectors()[0]) == 0
        assert len(opened.info().skipped) == 12
        vector = np.ones(opened.encoder.dim, np.float32)
        with pytest.raises(vecsearch.IndexFolderError, match=r"has no images.*--retry-skipped"):
            opened.search(vector)
    vecsearch.compact(index)
    assert vecsearch.verify(index).problems == ()
    draw(photos / "new.png", 40)
    assert vecsearch.build(index=index).total == 1
    assert list(vectors_in(index)) == ["new.png"]


def test_compaction_keeps_every_vector_and_takes_the_deleted_out(index: Path, photos: Path) -> None:
    for number in range(40, 44):
        draw(photos / f"n{number}.png", number)
    vecsearch.build(index=index)
    vecsearch.remove(photos / "p0.png", index=index)  # too little to be compacted by itself
    before = vectors_in(index)
    size = sum(path.stat().st_size for path in (index / "vectors").iterdir())
    report = vecsearch.compact(index)
    assert vectors_in(index) == before
    (segment,) = (index / "vectors").iterdir()
    assert segment.stat().st_size == 15 * (2 * 64 + 4) < size
    assert report.size_bytes < report.size_before_bytes
    assert report.total == 15
    files = {path.name for path in index.glob("*/*")}
    vecsearch.compact(index)  # nothing to do
    assert {path.name for path in index.glob("*/*")} == files


def test_many_small_additions_are_one_segment_after_a_while(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.indexing import compaction

    monkeypatch.setattr(compaction, "MANY_SEGMENTS", 3)
    monkeypatch.setattr(compaction, "STALE_SHARE", 10.0)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    (base,) = (index / "ann").iterdir()
    most = 0
    for number in range(40, 52):
        draw(photos / f"n{number}.png", number)
        if number % 3 == 0:
            draw(photos / "p1.png", number)
        vecsearch.build(index=index)
        most = max(most, len(list((index / "vectors").iterdir())))
    assert most <= 4
    assert [path.name for path in (index / "ann").iterdir()] == [base.name]
    anew = vecsearch.build(photos, index=tmp_path / "anew", encoder=CHEAP).index
    found, expected = vectors_in(index), vectors_in(anew)
    assert found.keys() == expected.keys()
    for name, row in expected.items():
        np.testing.assert_allclose(found[name], row, atol=1e-3)
    assert vecsearch.verify(index).problems == ()


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("catalog.sqlite", 40),
        ("vectors/*", 5),
        ("ann/*", 0),
        ("ann/*", -1),
        ("encoder/*.xml", 0),
        ("encoder/*.bin", 100),
    ],
)
def test_verify_finds_damage(pattern: str, place: int, quick: bool, index: Path) -> None:
    assert vecsearch.verify(index, quick=quick).problems == ()
    (path,) = index.glob(pattern)
    if quick and place not in (0, 40):
        path.write_bytes(path.read_bytes()[:-1])
    else:
        damage(path, place)
    (problem,) = vecsearch.verify(index, quick=quick).problems
    assert problem.path == path


def test_damage_in_a_page_that_holds_nothing_is_found_and_mended(index: Path) -> None:
    before = vectors_in(index)
    path = index / "catalog.sqlite"
    catalog = schema.open_catalog(index, writing=True)
    catalog.execute("CREATE TABLE large (x); INSERT INTO large VALUES (randomblob(40000))")
    catalog.execute("DROP TABLE large")
    catalog.close()
    damage(path, -3000)
    assert vectors_in(index) == before
    (problem,) = vecsearch.verify(index).problems
    assert problem.what.startswith("pages with wrong checksums: 1,")
    assert vecsearch.repair(index).left == []
    assert vecsearch.verify(index).problems == ()
    assert vectors_in(index) == before


def test_a_catalog_whose_end_is_cut_off_is_refused(index: Path) -> None:
    path = index / "catalog.sqlite"
    data = path.read_bytes()
    for length in (len(data) - 100, len(data) - 4096, 4000, 50):
        path.write_bytes(data[:length])
        with pytest.raises(vecsearch.IndexFolderError):
            vecsearch.open_index(index)


def test_verify_finds_a_base_that_is_sound_but_another_ones(index: Path) -> None:
    """As if a file of the right kind had taken the place of the index's own, record and all."""
    (path,) = (index / "ann").iterdir()
    import hashlib

    import faiss

    base = faiss.read_index(str(path))
    rows = base.reconstruct_n(0, 12)[::-1].copy()
    base.reset()
    base.add(rows)
    faiss.write_index(base, str(path))
    catalog = schema.open_catalog(index, writing=True)
    digest = hashlib.sha256(path.read_bytes()).digest()
    catalog.execute("UPDATE files SET sha256 = ? WHERE name LIKE 'ann/%'", (digest,))
    catalog.close()
    (problem,) = vecsearch.verify(index).problems
    assert problem.what == "has 12 vectors that differ from those in the segments"
    assert not vecsearch.repair(index).left


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("UPDATE rows SET died = 1 WHERE row = 15", "is not that of the live rows"),
        ("UPDATE segments SET row_count = 5", "live rows that are in no segment: 7"),
        (
            "UPDATE images SET removed = 2 WHERE id = 4",
            "images without a live row, or",
        ),
        ("UPDATE generations SET next_row = 16", "rows after the last one: 8"),
        ("DELETE FROM config WHERE key = 'encoder_bin'", "unknown files of the encoder: 1"),
    ],
)
def test_verify_compares_the_catalog_with_itself(query: str, what: str, index: Path) -> None:
    catalog = schema.open_catalog(index, writing=True)
    catalog.execute(query)
    catalog.close()
    assert what in next(p.what for p in vecsearch.verify(index).problems)


def test_repair_makes_the_base_anew_from_the_vectors(index: Path) -> None:
    before = vectors_in(index)
    (path,) = (index / "ann").iterdir()
    damage(path, 200)
    with (
        pytest.raises(IndexDamagedError, match="vecsearch repair"),
        vecsearch.open_index(index) as opened,
    ):
        opened.query("id:1")
    report = vecsearch.repair(index)
    assert [problem.kind for problem in report.problems] == ["ann"]
    assert (report.re_embedded, report.lost, report.left) == ([], [], [])
    assert vectors_in(index) == before
    assert vecsearch.repair(index).problems == ()


def test_repair_embeds_damaged_rows_again_and_tells_what_is_lost(index: Path, photos: Path) -> None:
    before = vectors_in(index)
    (path,) = (index / "vectors").iterdir()
    for row in (2, 3, 4):  # p0, p1, p2
        damage(path, row * 128 + 7)
    (photos / "p1.png").unlink()
    draw(photos / "p2.png", 77)
    report = vecsearch.repair(index)
    assert report.re_embedded == [photos / "p0.png", photos / "p2.png"]
    assert report.lost == [photos / "p1.png"]
    assert report.left == []
    after = vectors_in(index)
    assert after.keys() == before.keys() - {"p1.png"}
    assert after["p2.png"] != before["p2.png"]
    assert {n: row for n, row in after.items() if n != "p2.png"} == {
        n: row for n, row in before.items() if n not in ("p1.png", "p2.png")
    }
    assert vecsearch.verify(index).problems == ()
    with vecsearch.open_index(index) as opened:
        (skip,) = opened.info().skipped
    assert skip.path == photos / "p1.png"
    assert "its vector was damaged" in skip.reason
    draw(photos / "p1.png", 1)
    assert vecsearch.build(index=index).total == 12


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_repair_of_a_whole_segment(how: str, index: Path, photos: Path) -> None:
    before = vectors_in(index)
    (path,) = (index / "vectors").iterdir()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:500])
    report = vecsearch.repair(index)
    assert len(report.re_embedded) == 12
    after = vectors_in(index)
    for name, row in before.items():
        np.testing.assert_allclose(after[name], row, atol=1e-3)


def test_repair_makes_the_network_anew(index: Path, tmp_path: Path) -> None:
    query = draw(tmp_path / "q.png", 70)
    with vecsearch.open_index(index) as opened:
        before = opened.query(query)
    for path in (index / "encoder").iterdir():
        damage(path, 50)
    with vecsearch.open_index(index) as opened, pytest.raises(IndexDamagedError):
        opened.query(query)
    assert vecsearch.repair(index).left == []
    with vecsearch.open_index(index) as opened:
        assert opened.query(query) == before


def test_repair_says_what_it_cannot_mend(photos: Path, tmp_path: Path) -> None:
    config = EncoderConfig(layer="block1_conv1", pool="avg", weights="random:0", dim=6)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=config).index
    (constants,) = (index / "encoder").glob("*.bin")
    damage(constants, 50)
    (segment,) = (index / "vectors").iterdir()
    damage(segment, 1)
    report = vecsearch.repair(index)
    assert [problem.kind for problem in report.left] == ["encoder"]  # its PCA is nowhere else
    assert [path.name for path in report.lost] == ["p10.jpg"]
    assert len(vectors_in(index)) == 11
    damage(index / "catalog.sqlite", 8192)
    with pytest.raises(IndexDamagedError, match=r"catalog .* is damaged .*--fresh"):
        vecsearch.repair(index)


def test_rows_of_large_files_are_checked_as_they_are_used(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.search import index_reader as opened_module
    from vecsearch.store import segments, write_once

    (path,) = (index / "vectors").iterdir()
    damage(path, 3 * 128)  # the row of id:4
    monkeypatch.setattr(write_once, "CHECKED_AT_OPENING_BYTES", 100)
    monkeypatch.setattr(segments, "CHECKED_AT_OPENING_BYTES", 100)
    monkeypatch.setattr(opened_module, "_FEW_VALUES", 0)
    with vecsearch.open_index(index) as opened:
        assert opened.query("id:3", k=3)
        for question in (lambda: opened.query("id:4"), opened.vectors):
            with pytest.raises(IndexDamagedError, match="is damaged at row 15"):
                question()
    vecsearch.remove("id:1", index=index)
    with pytest.raises(IndexDamagedError, match="is damaged at row 15"):
        vecsearch.compact(index)
    vecsearch.remove("id:4", index=index)  # damage of a deleted row harms nothing
    assert vecsearch.compact(index).total == 10


def test_a_large_base_that_is_damaged_gives_no_wrong_score(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.search import index_reader as opened_module
    from vecsearch.store import segments, write_once

    (path,) = (index / "ann").iterdir()
    for module in (write_once, segments):
        monkeypatch.setattr(module, "CHECKED_AT_OPENING_BYTES", 100)
    monkeypatch.setattr(opened_module, "_FEW_VALUES", 0)
    with vecsearch.open_index(index) as opened:
        before = opened.query("id:3", k=11)
    assert before[0].hits
    for place in range(200, 216):
        damage(path, path.stat().st_size - place)
    with (
        vecsearch.open_index(index) as opened,
        pytest.raises(IndexDamagedError, match="its scores are not those of the vectors"),
    ):
        opened.query("id:3", k=11)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_index_of_every_format_answers_as_it_did(number: int, tmp_path: Path) -> None:
    index = Path(shutil.copytree(FORMATS / f"{number}", tmp_path / "ix"))
    assert schema.format_of(index) == number
    (index / "migrating.sqlite").write_bytes(b"left by a crash")
    expected = json.loads((FORMATS / f"{number}.json").read_text())
    with vecsearch.open_index(index) as opened:
        found = {
            str(image.path): [
                image.id,
                [
                    [hit.id, round(hit.score, 4)]
                    for hit in opened.query(f"id:{image.id}", k=4)[0].hits
                ],
            ]
            for image in opened
        }
    assert found == {
        path: [image_id, [[hit, round(score, 4)] for hit, score in hits]]
        for path, (image_id, hits) in expected.items()
    }
    assert schema.format_of(index) == schema.FORMAT
    assert vecsearch.verify(index).problems == ()
    vecsearch.compact(index)
    vecsearch.remove("id:2", index=index)
    assert len(vectors_in(index)) == len(expected) - 1
    assert {path.name for path in index.iterdir()} <= {
        *("catalog.sqlite", "vectors", "ann", "encoder", "writer.lock"),
    }


@pytest.mark.parametrize("moment", ["in a step", "in the check", "as it takes the place"])
def test_a_migration_that_fails_changes_nothing(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.store import migrate as module

    index = Path(shutil.copytree(FORMATS / "1", tmp_path / "ix"))
    before = (index / "catalog.sqlite").read_bytes()
    if moment == "in a step":
        monkeypatch.setattr(module, "_STEPS", {1: "SELECT nonsense FROM nowhere"})
    elif moment == "in the check":
        step = module._STEPS[1] + "DELETE FROM images WHERE id = 5;"
        monkeypatch.setattr(module, "_STEPS", {**module._STEPS, 1: step})
    else:
        real, calls = module._replace, []

        def refusing(target: apsw.Connection, source: apsw.Connection) -> None:
            calls.append(1)
            if len(calls) == 2:
                raise apsw.FullError("database or disk is full")
            real(target, source)

        monkeypatch.setattr(module, "_replace", refusing)
    with pytest.raises(vecsearch.IndexFolderError):
        vecsearch.open_index(index)
    assert (index / "catalog.sqlite").read_bytes() == before
    assert not list(index.glob("migrating*"))
    monkeypatch.undo()
    assert len(vectors_in(index)) == 12


def test_a_present_format_is_not_migrated(index: Path) -> None:
    before = (index / "catalog.sqlite").read_bytes()
    migrate(index)
    assert (index / "catalog.sqlite").read_bytes() == before


def test_the_commands(index: Path, run: Run) -> None:
    assert run("verify", "-i", index).stdout.endswith(": sound\n")
    assert run("verify", "--quick", "-i", index).stdout.endswith(": sound at a quick look\n")
    dry = json.loads(run("remove", "id:2", "-n", "--json", "-i", index).stdout)
    assert [image["id"] for image in dry["removed"]] == [2]
    assert "1 removed from" in run("remove", "id:2", "-i", index).stdout
    assert "11 images" in run("compact", "-i", index).stdout
    assert "no image id:2" in run("remove", "id:2", "-i", index, code=1).stderr
    (path,) = (index / "ann").iterdir()
    damage(path, 200)
    done = run("verify", "-i", index, code=1)
    assert "is not what was written" in done.stdout
    assert "damaged; vecsearch repair" in done.stdout
    assert "mended" in run("repair", "-i", index).stdout
    assert "nothing was wrong" in run("repair", "-i", index).stdout
    for command in ("verify", "repair", "compact"):
        assert "no index" in run(command, "-i", index / "nope", code=1).stderr


def test_an_index_whose_header_is_damaged_can_be_built_fresh(index: Path, photos: Path) -> None:
    path = index / "catalog.sqlite"
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    with pytest.raises(vecsearch.IndexFolderError):
        vecsearch.open_index(index)
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert len(vectors_in(index)) == 12


def test_a_quick_look_at_a_damaged_page_is_no_crash(index: Path) -> None:
    data = (index / "catalog.sqlite").read_bytes()
    for page in range(1, len(data) // 4096):
        damage(index / "catalog.sqlite", page * 4096 + 5)
        vecsearch.verify(index, quick=True)
        assert vecsearch.verify(index).problems
        (index / "catalog.sqlite").write_bytes(data)


def test_a_network_is_not_mended_with_other_weights(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = Path("weights.safetensors")

    def write(seed: int) -> None:
        save_file(dict(load_weights(f"random:{seed}", VGG19, "block1_pool").arrays), weights)

    write(0)
    config = replace(CHEAP, weights=str(weights))
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=config).index
    (constants,) = (index / "encoder").glob("*.bin")
    whole = constants.read_bytes()
    damage(constants, len(whole) // 2)
    write(1)
    assert [one.kind for one in vecsearch.repair(index).left] == ["encoder"]
    write(0)
    assert not vecsearch.repair(index).left
    (constants,) = (index / "encoder").glob("*.bin")
    assert constants.read_bytes() == whole


def test_no_row_is_taken_from_a_file_that_has_grown(index: Path) -> None:
    before = vectors_in(index)
    (segment,) = (index / "vectors").iterdir()
    with segment.open("ab") as file:
        file.write(b"x")
    report = vecsearch.repair(index)
    assert (len(report.re_embedded), report.lost, report.left) == (12, [], [])
    assert vectors_in(index) == before
    assert len(list((index / "ann").iterdir())) == 1


def test_a_picture_above_the_limit_of_a_build_is_mended(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    # 32.4 megapixels, and of WebP half of the limit may be decoded
    Image.new("RGB", (5690, 5690)).save(tmp_path / "photos" / "large.webp", lossless=True, method=0)
    options = BuildOptions(max_megapixels=65)
    index = vecsearch.build(
        tmp_path / "photos", index=tmp_path / "ix", encoder=CHEAP, options=options
    ).index
    before = vectors_in(index)
    (segment,) = (index / "vectors").iterdir()
    damage(segment, 0)
    report = vecsearch.repair(index)
    assert [path.name for path in report.re_embedded] == ["large.webp"]
    assert (report.lost, report.left) == ([], [])
    assert vectors_in(index) == before


def test_limits_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="--max-megapixels is inf"):
        BuildOptions(max_megapixels=float("inf"))
    for name in ("commit_images", "commit_seconds", "commit_bytes", "max_megapixels"):
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is 0"):
            BuildOptions(**{name: 0})  # type: ignore[arg-type]


def test_a_fresh_build_replaces_a_damaged_index(index: Path, photos: Path) -> None:
    before = vectors_in(index)
    for path in (*index.glob("*/*"), index / "catalog.sqlite"):
        damage(path, 120)
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert vectors_in(index) == before
    assert vecsearch.verify(index).problems == ()

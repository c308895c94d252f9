"""The command line: what it prints, writes, refuses, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from samples import SAMPLES, Run, draw, hits_of

CHEAP_OPTIONS = ("--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32")


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def built(photos: Path, run: Run, tmp_path: Path) -> Path:
    """The index that ``build`` makes when only the source is named."""
    run("build", "photos", *CHEAP_OPTIONS)
    return tmp_path / "indexes" / "photos"


def test_build_names_the_index_after_the_source_and_queries_find_it(
    photos: Path, run_process: Run, tmp_path: Path
) -> None:
    assert run_process("build", "photos", *CHEAP_OPTIONS).stderr == ""
    assert (tmp_path / "indexes" / "photos" / "catalog.sqlite").is_file()
    done = run_process("query", "photos/p1.png")
    assert done.stdout.splitlines()[0] == "photos/p1.png"
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 7


def test_the_json_of_a_query(built: Path, run: Run) -> None:
    (one,) = json.loads(run("query", "id:2", "-k", "3", "--json").stdout)
    assert one["query"] == "id:2"
    assert [hit["rank"] for hit in one["hits"]] == [1, 2, 3]
    for hit in one["hits"]:
        assert set(hit) == {"rank", "id", "path", "score", "distance"}
        assert len(str(hit["score"])) > 7  # all its digits
        assert hit["path"].startswith("photos/")
        assert hit["distance"] == pytest.approx((2 - 2 * hit["score"]) ** 0.5, abs=0.01)


def test_all_formats_say_the_same(built: Path, run: Run) -> None:
    query = ("query", "id:2", "photos/p5.png", "-k", "4")
    expected = json.loads(run(*query, "--json").stdout)
    assert json.loads(run(*query, "--format", "json").stdout) == expected
    lines = run(*query, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == expected
    paths = [hit["path"] for one in expected for hit in one["hits"]]
    assert run(*query, "--format", "paths").stdout.splitlines() == paths
    rows = list(csv.DictReader(io.StringIO(run(*query, "--format", "csv").stdout)))
    assert [row["path"] for row in rows] == paths
    assert rows[0]["query"] == "id:2"
    table = run(*query).stdout
    assert all(path in table for path in paths)


def test_options_come_from_the_environment_too(built: Path, run: Run) -> None:
    done = run("query", "id:1", "--json", VECSEARCH_QUERY_K="2", VECSEARCH_INDEX=str(built))
    assert len(hits_of(done)[0]) == 2
    assert len(hits_of(run("query", "id:1", "--json", VECSEARCH_QUERY_THRESHOLD="1"))[0]) == 0
    csv_form = run("query", "id:1", VECSEARCH_QUERY_FORMAT="csv").stdout
    assert csv_form.startswith("query,rank,id,path")
    assert hits_of(run("query", "id:1", VECSEARCH_JSON="1"))


def test_sheets_one_or_several(built: Path, run: Run, tmp_path: Path) -> None:
    run("query", "id:1", "--sheet", "out/sheet.png")
    run("query", "id:1", "id:2", "--sheet", "out/two.png")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"sheet.png", "two-1.png", "two-2.png"}
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > sheet.height


def test_recommend_writes_a_sheet_named_after_each_picture(
    photos: Path, run: Run, tmp_path: Path
) -> None:
    draw(photos / "more" / "p1.png", 33)  # the name of another picture
    run("build", "photos", *CHEAP_OPTIONS)
    printed = json.loads(run("recommend", "-k", "2", "--json").stdout)
    folder = tmp_path / "output" / "rec"
    assert json.loads((folder / "recommendations.json").read_text()) == printed
    assert len(printed) == 13
    assert all(len(one["hits"]) == 2 for one in printed)
    sheets = {path.stem for path in folder.glob("*.png")}
    assert len(sheets) == 13
    assert {"p0", "p1", "p11"} <= sheets


def test_viz_draws_a_map(built: Path, run: Run, tmp_path: Path) -> None:
    assert run("viz").stdout == "tsne.png: 12 pictures\n"
    with Image.open(tmp_path / "tsne.png") as drawn:
        assert drawn.width > 500


def test_info(built: Path, photos: Path, run: Run) -> None:
    (photos / "broken.jpg").write_text("x")
    done = run("build", "photos")
    assert "12 images (12 unchanged, 1 skipped)" in done.stdout
    facts = json.loads(run("info", "--json").stdout)
    assert facts["images"] == 12
    assert facts["encoder"]["layers"] == ["block1_conv1"]
    assert facts["skipped"][0]["path"] == "photos/broken.jpg"
    text = run("info").stdout
    assert "photos/broken.jpg: not a picture in a format known here" in text


def test_build_prints_json(photos: Path, run: Run) -> None:
    report = json.loads(run("build", "photos", *CHEAP_OPTIONS, "--json").stdout)
    assert report["counts"]["added"] == report["images"] == 12
    assert report["index"] == "indexes/photos"


def test_demo_without_a_download_says_so_and_draws_everything(
    run: Run, run_process: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("burger1.jpg", "burger2.jpg", "donut1.jpg", "donut_test.jpg", "pizza1.jpg"):
        shutil.copy(SAMPLES / name, folder)
    # A proxy that nobody listens on stands for a machine without a network.
    done = run_process("demo", "few", https_proxy="http://127.0.0.1:9", no_proxy="")
    assert done.stdout.startswith("network: EfficientNet-Lite0, whose weights are installed")
    assert "encoder: EfficientNet-Lite0 head, gem, d = 1280, weights imagenet" in done.stdout
    assert not done.stderr
    written = [line.strip() for line in done.stdout.partition("written:")[2].splitlines() if line]
    assert written == [
        *(
            "output/query-donut_test.png",
            "output/tsne.png",
            "output/map.html",
            "output/rec",
            "output/index",
        )
    ]
    assert len(list((tmp_path / "output" / "rec").glob("*.png"))) == 5
    assert "5 unchanged" in run("demo", "few").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "nope"), 1, ("no such folder", "nope")),
        (("build", "empty"), 1, ("no images in", "empty")),
        (("build", "photos/p1.png"), 1, ("p1.png is a file",)),
        (("build", "photos", "--layer", "conv9"), 2, ("unknown layer 'conv9'", "fc2")),
        (("build", "photos", "--weights", "nope.pth"), 1, ("no weights file nope.pth",)),
        (("build", "photos", "--weights", "random:x"), 2, ("needs a seed",)),
        (("build", "photos", "-i", "photos"), 1, ("photos is not an index and not empty",)),
        (("build", "photos", "--pool", "avg"), 1, ("another encoder", "--fresh")),
        (("query", "nope.jpg"), 1, ("nope.jpg", "No such file")),
        (("query", "text.jpg"), 1, ("text.jpg", "not a picture")),
        (("query", "id:999"), 1, ("no image id:999",)),
        (("query", "id:1", "-k", "0"), 2, ("k is 0",)),
        (("query", "id:1", "-i", "photos"), 1, ("photos is not an index",)),
        (("query", "id:1", "-i", "nope"), 1, ("no index nope",)),
        (("query", "id:1", "--sheet", "sheet.xyz"), 2, ("sheet.xyz", ".png")),
        (("query", "id:1", "--threshold", "nan"), 2, ("threshold is nan",)),
        (("build", "photos", "--weights", ""), 1, ("no weights file",)),
        (("recommend", "-k", "-1"), 2, ("k is -1",)),
        (("viz", "-o", "text.jpg/map.png"), 1, ("text.jpg",)),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_line(
    arguments: tuple[str, ...],
    code: int,
    words: tuple[str, ...],
    built: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("no picture")
    before = sorted(path.name for path in built.rglob("*"))
    done = run(*arguments, code=code)
    assert done.stdout == ""
    assert done.stderr.startswith("vecsearch: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert sorted(path.name for path in built.rglob("*")) == before


def test_wrong_usage(run: Run, run_process: Run) -> None:
    assert "Missing argument" in run_process("query", code=2).stderr
    assert "No such option" in run("query", "id:1", "--nope", code=2).stderr
    assert "No such command" in run("nope", code=2).stderr


def test_no_index_or_several(run: Run, run_process: Run, photos: Path) -> None:
    assert "make one with: vecsearch build" in run_process("query", "id:1", code=1).stderr
    run("build", "photos", *CHEAP_OPTIONS)
    run("build", "photos", *CHEAP_OPTIONS, "-i", "indexes/other")
    assert "there are 2 indexes in indexes: other, photos" in run("query", "id:1", code=1).stderr


def test_a_reader_that_leaves_early_is_no_error(built: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m vecsearch.cli.main recommend --no-sheets --json -k 11 | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_no_picture_of_the_index_is_written_over(built: Path, run: Run, photos: Path) -> None:
    before = (photos / "p1.png").read_bytes()
    for arguments in (
        ("query", "id:2", "--sheet", "photos/p1.png"),
        ("viz", "-o", "photos/p1.png"),
        ("recommend", "-o", "photos"),
    ):
        assert "is a picture of the index" in run(*arguments, code=2).stderr
    assert (photos / "p1.png").read_bytes() == before


def test_odd_names_in_lines(photos: Path, run: Run) -> None:
    draw(photos / "two\nlines \x1b[31m.png", 3)
    run("build", "photos", *CHEAP_OPTIONS)
    assert run("query", "two\nlines.png", code=1).stderr.count("\n") == 1
    names = hits_of(run("query", "id:1", "-k", "50", "--json"))[0]
    assert "two\nlines \x1b[31m.png" in names
    table = run("query", "id:1", "-k", "50").stdout
    assert "two\\nlines \\x1b[31m.png" in table
    assert len(table.splitlines()) == 14
    assert "\x1b[31m" in run("query", "id:1", "-k", "50", "--format", "paths").stdout


def test_sheets_of_equal_names_never_meet(tmp_path: Path, run: Run) -> None:
    for number, name in enumerate(("x/a-3.jpg", "x/a.jpg", "y/a.jpg", f"y/{'n' * 250}.jpg")):
        draw(tmp_path / "photos" / name, number)
    run("build", "photos", *CHEAP_OPTIONS)
    run("recommend")
    assert len(list((tmp_path / "output" / "rec").glob("*.png"))) == 4


def test_sigterm_keeps_what_was_embedded(photos: Path, tmp_path: Path, run: Run) -> None:
    large = draw(photos / "p20.png", 20, (900, 900)).read_bytes()
    for number in range(21, 60):  # with a few bytes behind its end, each is another picture
        (photos / f"p{number}.png").write_bytes(large + number.to_bytes(4, "big"))
    command = [sys.executable, "-m", "vecsearch.cli.main", "build", "photos", *CHEAP_OPTIONS]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    catalog = tmp_path / "indexes" / "photos" / "catalog.sqlite"
    while not catalog.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.15)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=30)
    if process.returncode:  # else it was done before the signal came
        assert process.returncode == 130
        assert message == (
            "vecsearch: interrupted; what was committed is kept, "
            "and the same command goes on from there\n"
        )
    report = json.loads(run("build", "photos", *CHEAP_OPTIONS, "--json").stdout)
    assert report["images"] == 52


def test_version_and_completion(run: Run, run_process: Run) -> None:
    assert run_process("--version").stdout.startswith("vecsearch ")
    for shell in ("bash", "zsh", "fish"):
        assert "_VECSEARCH_COMPLETE" in run("completion", shell).stdout
    words = {
        "_VECSEARCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "vecsearch bu",
        "COMP_CWORD": "1",
    }
    assert "build" in run_process(**words).stdout


def test_progress_goes_to_a_terminal_only(photos: Path, run: Run, tmp_path: Path) -> None:
    assert run("build", "photos", *CHEAP_OPTIONS).stderr == ""
    script = shutil.which("script")
    if script is None:
        pytest.skip("the program 'script', which makes a terminal, is not installed")
    command = (
        f"{sys.executable} -m vecsearch.cli.main build photos --fresh {' '.join(CHEAP_OPTIONS)}"
    )
    done = subprocess.run(
        [script, "-qec", command, "/dev/null"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "embedding" in done.stdout
    assert "12/12" in done.stdout

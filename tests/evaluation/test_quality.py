"""Quality by labels: the measures, by hand and by scikit-learn; labels; what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from samples import Run, draw
from sklearn.metrics import average_precision_score
from synthetic import clusters, make_index

import vecsearch
from vecsearch import (
    ImportOptions,
    IndexDamagedError,
    QualityReport,
    QueryOptions,
    UsageError,
    VecsearchError,
)
from vecsearch.cli.main import cli
from vecsearch.evaluation import quality
from vecsearch.evaluation.classes import confusion
from vecsearch.evaluation.confidence import interval, mean_of
from vecsearch.search import index_reader
from vecsearch.store import segments
from vecsearch.store import write_once as store_files
from vecsearch.view.confusion import draw_confusion

BY_HAND = np.array(
    [
        [1, 0, 0],  # a: finds a b b b c; the first two b are equally near
        [0.8, 0.6, 0],  # a: finds b a b b c
        [0.6, 0.8, 0],  # b: finds a b a b c
        [0.6, 0, 0.8],  # b: finds c a a b b
        [0, 1, 0],  # b: finds b a a b c; the last three are equally near
        [0, 0, 1],  # c, alone in its class
        [1, 0, 0],  # without a label; it would be the first hit of the first
    ],
    np.float32,
)
LABELS = "id,label\n1,a\n2,a\n3,b\n4,b\n5,b\n6,c\n7,\n"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def by_hand(tmp_path: Path) -> QualityReport:
    index = make_index(tmp_path / "index", BY_HAND)
    (tmp_path / "labels.csv").write_text(LABELS)
    return vecsearch.evaluate_labels(index, tmp_path / "labels.csv", ks=(2, 1, 10))


def test_the_measures_are_those_by_hand(by_hand: QualityReport) -> None:
    assert (by_hand.images, by_hand.unlabelled, by_hand.alone, by_hand.classes) == (7, 1, 1, 2)
    assert (by_hand.queries, by_hand.depth, by_hand.whole, by_hand.unknown) == (5, 5, True, 0)
    assert [one.k for one in by_hand.at] == [1, 2, 10]
    at_1, at_2, at_10 = by_hand.at
    assert at_1.precision.value == pytest.approx(2 / 5)
    assert at_1.precision_by_class.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert at_2.precision.value == pytest.approx(4 * 0.5 / 5)
    assert at_2.precision_by_class.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert at_2.best_precision == pytest.approx((2 * 0.5 + 3 * 1) / 5)
    assert at_2.recall.value == pytest.approx((1 + 1 + 0.5 + 0 + 0.5) / 5)
    assert at_10.precision.value == pytest.approx((2 * 0.1 + 3 * 0.2) / 5)
    assert at_10.precision.value == pytest.approx(at_10.best_precision)
    assert at_10.recall.value == 1
    assert by_hand.r_precision.value == pytest.approx((1 + 0 + 0.5 + 0 + 0.5) / 5)
    average = [1, 1 / 2, (1 / 2 + 2 / 4) / 2, (1 / 4 + 2 / 5) / 2, (1 + 2 / 4) / 2]
    assert by_hand.mean_average_precision.value == pytest.approx(np.mean(average))
    reciprocal = [1, 1 / 2, 1 / 2, 1 / 4, 1]
    assert by_hand.mean_reciprocal_rank.value == pytest.approx(np.mean(reciprocal))
    assert at_1.precision.interval.low < 2 / 5 < at_1.precision.interval.high


def test_classes_and_queries_come_worst_first(by_hand: QualityReport) -> None:
    b, a = by_hand.by_class
    assert (a.label, a.images, a.queries, b.label, b.images) == ("a", 2, 2, "b", 3)
    assert [a.precision, b.precision] == pytest.approx([0.2, 0.4])
    assert a.average_precision == pytest.approx(0.75)
    shares = {one.label: one.share for one in a.neighbours}
    assert shares == {"a": 0.5, "b": 0.5}  # of the first hit, for there is one other
    assert a.confused_with == a.neighbours[1]
    assert b.confused_with is not None
    assert (b.confused_with.label, b.confused_with.share) == ("a", 0.5)
    worst = by_hand.worst
    assert [one.result.query for one in worst] == ["id:4", "id:2", "id:3", "id:5"]  # 1 is perfect
    assert (worst[0].label, worst[0].first_right) == ("b", 4)
    assert worst[0].hit_labels == ("c", "a", "a", "b", "b")
    assert [hit.id for hit in worst[0].result.hits] == [6, 1, 2, 3, 5]
    labels, matrix = confusion(by_hand.by_class, 10)
    assert labels == ["a", "b"]
    np.testing.assert_allclose(matrix, [[1 / 2, 1 / 2, 0], [1 / 2, 1 / 3, 1 / 6]])
    assert confusion(by_hand.by_class, 1)[0] == ["b"]
    np.testing.assert_allclose(confusion(by_hand.by_class, 1)[1], [[1 / 3, 2 / 3]])


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 130 vectors in 6 classes of 5 to 40, which overlap; ``labels.csv`` beside it."""
    folder = tmp_path_factory.mktemp("unequal")
    centres, _ = clusters(6, 1, 16, seed=1)
    label = np.repeat(np.arange(6), [40, 30, 25, 20, 10, 5])
    noise = np.random.RandomState(2).normal(scale=0.35, size=(len(label), 16))
    rows = centres[label] + noise
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    make_index(folder / "index", vectors)
    lines = [f"{number},class{one}" for number, one in enumerate(label.tolist(), start=1)]
    (folder / "labels.csv").write_text("\n".join(["id,label", *lines]))
    return folder


def brute_force(folder: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the class (n,) of every image, and the cosine (n, n) of all pairs, -1 with itself."""
    with vecsearch.open_index(folder / "index") as index:
        vectors = index.vectors()[1].astype(np.float64)
    lines = (folder / "labels.csv").read_text().splitlines()[1:]
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return np.array([int(line[-1]) for line in lines]), cosines


@pytest.mark.parametrize("few_values", [None, 0], ids=["multiplied", "by FAISS"])
def test_the_measures_agree_with_scikit_learn(
    unequal: Path, monkeypatch: pytest.MonkeyPatch, few_values: int | None
) -> None:
    if few_values is not None:
        monkeypatch.setattr(index_reader, "_FEW_VALUES", few_values)
    report = vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv")
    label, cosines = brute_force(unequal)
    expected = []
    for number, scores in enumerate(cosines):
        others = np.arange(len(label)) != number
        right = label[others] == label[number]
        expected.append(average_precision_score(right, scores[others]))
    assert report.mean_average_precision.value == pytest.approx(np.mean(expected), abs=1e-6)
    assert 0.3 < report.mean_average_precision.value < 0.9
    by_class = {one.label: one.average_precision for one in report.by_class}
    for number in range(6):
        mine = np.array(expected)[label == number].mean()
        assert by_class[f"class{number}"] == pytest.approx(mine, abs=1e-6)
    right = label[np.argsort(-cosines, axis=1)[:, :5]] == label[:, np.newaxis]
    assert report.at[1].precision.value == pytest.approx(right.mean())
    means = [right[label == number].mean() for number in range(6)]
    assert report.at[1].precision_by_class.value == pytest.approx(np.mean(means))


@pytest.mark.parametrize(
    "options",
    [QueryOptions(glob="*0.jpg"), QueryOptions(expand=3, rerank=40)],
    ids=["some", "re-ranked"],
)
def test_the_rankings_are_those_that_users_get(unequal: Path, options: QueryOptions) -> None:
    report = vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv", options=options)
    label, _ = brute_force(unequal)
    with vecsearch.open_index(unequal / "index") as index:
        found = {one.query: one.hits for one in index.recommend(k=200, options=options)}
        among = {hit.id for hits in found.values() for hit in hits}
    average = {}
    for number in among:
        hits = found[f"id:{number}"]
        right = [label[hit.id - 1] == label[number - 1] for hit in hits]
        places = np.flatnonzero(right) + 1
        if len(places):
            average[number] = np.mean(np.arange(1, len(places) + 1) / places)
    assert (report.images, report.queries) == (len(among), len(average))
    assert (report.expand, report.rerank) == (options.expand, options.rerank)
    assert report.mean_average_precision.value == pytest.approx(np.mean(list(average.values())))
    assert report.worst
    for one in report.worst:
        expected = found[one.result.query][:5]
        assert [hit.id for hit in one.result.hits] == [hit.id for hit in expected]
        scores = [hit.score for hit in expected]
        assert [hit.score for hit in one.result.hits] == pytest.approx(scores, abs=1e-6)


def test_long_rankings_are_cut_off(unequal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "WHOLE", 100)
    monkeypatch.setattr(quality, "DEPTH", 20)
    report = vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv")
    assert (report.whole, report.depth) == (False, 20)
    label, cosines = brute_force(unequal)
    right = label[np.argsort(-cosines, axis=1)[:, :20]] == label[:, np.newaxis]
    precisions = np.cumsum(right, axis=1) / np.arange(1, 21)
    most = np.minimum(np.bincount(label)[label] - 1, 20)
    expected = (precisions * right).sum(axis=1) / most
    assert report.mean_average_precision.value == pytest.approx(expected.mean(), abs=1e-9)
    at_r = [line[:count].mean() for line, count in zip(right, most, strict=True)]
    assert report.r_precision.value == pytest.approx(np.mean(at_r), abs=1e-9)
    deeper = vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv", ks=(30,))
    assert deeper.depth == 30


def test_a_sample_has_all_classes_and_is_the_same_each_time(unequal: Path) -> None:
    ask = (unequal / "index", unequal / "labels.csv")
    report = vecsearch.evaluate_labels(*ask, sample=26)
    assert report.queries == 26
    queries = {one.label: one.queries for one in report.by_class}
    assert len(queries) == 6
    for one in report.by_class:
        assert abs(one.queries - one.images / 5) <= 1
    assert vecsearch.evaluate_labels(*ask, sample=26) == report
    assert vecsearch.evaluate_labels(*ask, sample=3).queries == 3


def test_a_mean_of_classes_has_its_interval() -> None:
    shares = np.random.RandomState(0).binomial(5, 0.6, 80) / 5
    assert interval(shares, np.zeros(80, np.int64)) == interval(shares)
    classes = np.repeat([0, 1], [70, 10])
    shares[classes == 1] *= 0.2
    found = interval(shares, classes)
    mean = (shares[:70].mean() + shares[70:].mean()) / 2
    assert mean_of(shares, classes) == pytest.approx(mean)
    assert found.low < mean < found.high < shares.mean()


def test_damage_is_found_before_an_answer(unequal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (store_files, segments):
        monkeypatch.setattr(module, "CHECKED_AT_OPENING_BYTES", 100)
    vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv")
    for part, place, words in (("vectors", 0, "damaged at row"), ("ann", -200, "its scores are")):
        (path,) = (unequal / "index" / part).iterdir()
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(IndexDamagedError, match=words):
            vecsearch.evaluate_labels(unequal / "index", unequal / "labels.csv")
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten pictures, and two in a subfolder, which are unlike each other."""
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    for number in range(10):
        draw(folder / f"p{number}.png", number)
    for number in (10, 11):
        draw(folder / "more" / f"p{number}.jpg", number)
    return folder


@pytest.fixture(scope="module")
def index(photos: Path) -> Path:
    """An index of `photos`, by their names, with vectors made up and imported."""
    folder = photos.parent
    vectors = np.eye(12, dtype=np.float32) + 0.5
    vectors[10:, :10] = 0.0
    vectors[11] = vectors[0]
    np.save(folder / "made-up.npy", vectors)
    paths = sorted(path for path in photos.rglob("*") if path.suffix)
    paths.sort(key=lambda path: int(path.stem[1:]))
    (folder / "ids.txt").write_text("".join(f"{path}\n" for path in paths))
    options = ImportOptions(ids=[folder / "ids.txt"])
    return vecsearch.import_vectors(
        folder / "made-up.npy", options=options, index=folder / "index"
    ).index


@pytest.mark.parametrize(
    "text",
    [
        "p0.png,x\np1.png,x\np2.png,y\nmore/p10.jpg,y\n\n",
        "Path,Size,LABEL\np0.png,1,x\np1.png,1,x\np2.png,1,y\nmore/p10.jpg,1,y\n",
        "\ufefflabel;filename\r\nx;p0.png\r\nx;p1.png\r\ny;p2.png\r\ny;more/p10.jpg\r\n",
        '"p0.png", x \n{root}/p1.png,x\np2.png,"y"\nmore/../more/p10.jpg,y',
        "class\tid\nx\t1\nx\t2\ny\tid:3\ny\t11\nz\t99\n",
    ],
    ids=["plain", "header", "mark and semicolons", "paths", "ids and tabs"],
)
@pytest.mark.parametrize("where", ["beside the pictures", "elsewhere"])
def test_labels_from_a_file(
    index: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    where: str,
) -> None:
    path = (photos if where == "beside the pictures" else tmp_path) / "labels.csv"
    path.write_text(text.replace("{root}", str(photos)), "utf-8", newline="")
    monkeypatch.chdir(photos if where == "elsewhere" else tmp_path)
    report = vecsearch.evaluate_labels(index, path)
    assert {one.label: one.images for one in report.by_class} == {"x": 2, "y": 2}
    assert (report.unlabelled, report.unknown) == (8, int("99" in text))


def test_labels_from_names_and_folders(index: Path) -> None:
    by_folder = vecsearch.evaluate_labels(index, "folder")
    assert {one.label: one.images for one in by_folder.by_class} == {"photos": 10, "more": 2}
    whole = vecsearch.evaluate_labels(index, "png|jpg")
    assert {one.label: one.images for one in whole.by_class} == {"png": 10, "jpg": 2}
    group = vecsearch.evaluate_labels(index, r"p(\d)(?:\d|\.png)")
    assert [(one.label, one.images, one.queries) for one in group.by_class] == [("1", 3, 3)]
    assert (group.classes, group.alone, group.unlabelled) == (1, 9, 0)
    some = vecsearch.evaluate_labels(index, r"p(1|5)?")  # of most names it is no part
    assert (some.classes, some.alone, some.unlabelled) == (1, 1, 8)


BAD_LABELS = {
    "nope.csv": "cannot read nope.csv: No such file or directory",
    "empty.csv": "empty.csv labels no image of",
    "other.csv": "other.csv labels no image of",
    "one.csv": "one.csv line 1 has too few columns",
    "wide.csv": "wide.csv is UTF-16; save it as UTF-8",
    "latin.csv": "latin.csv line 2 is not UTF-8",
    "twice.csv": "twice.csv line 3: id:1 is labelled 'b', and 'a' before",
    "places.csv": "places.csv has the columns id, path, x, y, and none called label",
    "[a-": "the labels '[a-' are not a regular expression (unterminated character set",
    "zzz": "zzz labels no image of",
    "p": "all 12 labelled images of",
    r"p\d+": "no two of the 12 labelled images of",
}


def test_bad_labels_get_one_clear_line(
    index: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").touch()
    Path("other.csv").write_text("a.jpg,a\nb.jpg,b\n")
    Path("one.csv").write_text("p0.png\np1.png\n")
    Path("wide.csv").write_text("path,label\n", "utf-16")
    Path("latin.csv").write_text("path,label\np1.png,café\n", "latin-1")
    Path("twice.csv").write_text("path,label\nid:1,a\nid:1,b\n")
    Path("places.csv").write_text("id,path,x,y\n")
    for labels, words in BAD_LABELS.items():
        with pytest.raises(VecsearchError, match=re.escape(words)) as caught:
            vecsearch.evaluate_labels(index, labels)
        assert "\n" not in str(caught.value)
    for given, words, code in (
        (["--labels", "[a-"], "not a regular expression", 2),
        (["--labels", "one.csv"], "too few columns", 1),
        (["--labels", "folder", "-k", "0"], "k is 0", 2),
        (["--labels", "folder", "--sample", "0"], "the sample is 0", 2),
        (["--labels", "folder", "--vectors", "x.npy"], "omit --vectors", 2),
        (["--labels", "folder", "--confusion", "c.txt"], "c.txt: pictures cannot be written", 2),
        (["--labels", "folder", "--sheet", str(photos / "p1.png")], "is a picture of the index", 2),
        (["--labels", "twice.csv", "--html", "a.html", "--sheet", "a.html"], "one name", 2),
        (["--labels", "folder", "--rerank", "1001"], "cannot be re-ranked", 2),
        (["--confusion", "c.png"], "add --labels", 2),
        (["--expand"], "add --labels", 2),
        (["-k", "1", "-k", "5"], "several -k", 2),
    ):
        with pytest.raises(VecsearchError, match=words) as caught:
            cli(["eval", "-i", str(index), *given], standalone_mode=False)
        assert isinstance(caught.value, UsageError) == (code == 2)
    done = run("eval", "-i", index, "--labels", "nope.csv", code=1)
    assert done.stdout == ""
    assert done.stderr.startswith("vecsearch: cannot read nope.csv: No such file")
    assert done.stderr.count("\n") == 1


def test_the_command_prints_tables_and_json(by_hand: QualityReport, run: Run) -> None:
    given = ("eval", "-i", by_hand.index, "--labels", "labels.csv", "-k", "1", "-k", "2")
    table = run(*given).stdout
    assert by_hand.encoder in table
    assert "labels.csv: 2 classes of 2 images or more; 1 image alone in a class" in table
    assert "1 image without a label, left out" in table
    assert re.search(
        r"^precision@1 +0\.400 \(0\.\d+ to 0\.\d+\) +0\.417 \(.*\) +1\.000$", table, re.M
    )
    assert re.search(r"^mAP +0\.615 \(0\.\d+ to 0\.\d+\)$", table, re.M)
    assert re.search(r"^a +2 +0\.200 +0\.750 +b \(50%\)$", table, re.M)
    facts = json.loads(run(*given, "--json").stdout)
    assert facts["encoder_title"] == by_hand.encoder
    assert facts["at"][0]["precision_by_class"]["value"] == pytest.approx(5 / 12)
    assert facts["mean_average_precision"]["interval"]["method"] == "bootstrap"
    assert facts["by_class"][0]["neighbours"][0] == {"label": "a", "share": 0.5}
    assert facts["worst"][0]["query"] == "id:4"
    assert facts["worst"][0]["hit_labels"] == ["c", "a", "a", "b", "b"]


def test_what_is_written_names_the_model(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "imported (made-up), d = 12, no network"
    ask = ["eval", "-i", str(index), "--labels", "folder"]
    for name in ("a", "b"):
        files = [tmp_path / name / "q.html", tmp_path / name / "w.svg", tmp_path / name / "c.svg"]
        options = ("--html", "--sheet", "--confusion")
        given = [f"{option}={path}" for option, path in zip(options, files, strict=True)]
        cli([*ask, *given], standalone_mode=False)
        assert capsys.readouterr().err.splitlines() == [f"{path}: written" for path in files]
    for name in ("q.html", "w.svg", "c.svg"):
        text = (tmp_path / "a" / name).read_text()
        assert text == (tmp_path / "b" / name).read_text()
        assert title in text
        assert "folder: 2 classes of 2 images or more" in text
    data = re.search(r'id="data">(.*?)</script>', (tmp_path / "a/q.html").read_text(), re.S)
    assert data
    page = json.loads(data[1])
    by_class = next(one for one in page["tables"] if one["heads"][:1] == ["class"])
    assert [row[:2] for row in by_class["rows"]] == [["more", "2"], ["photos", "10"]]
    section = page["sections"][0]
    assert section["heading"].startswith("more: ")
    assert section["queries"][0]["left"] == "more"
    first = section["tiles"][0]
    assert (first["left"], "mark" in first) == ("1 \u2717 photos", False)
    given = [f"--sheet={tmp_path / 'w.pdf'}", f"--confusion={tmp_path / 'c.jpg'}"]
    cli([*ask, *given], standalone_mode=False)
    assert (tmp_path / "w.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "c.jpg") as image:
        assert image.format == "JPEG"


def texts_of(svg: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text())


def test_a_confusion_matrix_is_readable_whatever_its_classes(tmp_path: Path) -> None:
    out = tmp_path / "new" / "two.svg"
    shares = np.array([[0.9, 0.1, 0.0], [0.0, 0.68, 0.32]])
    draw_confusion(["$cats$", "d" * 60], shares, "Title", ["猫 & more"], out)
    texts = texts_of(out)
    cut = "d" * 12 + "\u2026" + "d" * 11
    assert texts == ["$cats$", cut, "$cats$", cut, "(others)", "90", "10", "68", "32",
                     "猫 &amp; more", "Title"]  # fmt: skip
    shares = np.concatenate([np.eye(100), np.zeros((100, 1))], axis=1)
    draw_confusion([f"class {n}" for n in range(100)], shares, "Title", [], tmp_path / "many.svg")
    texts = texts_of(tmp_path / "many.svg")
    assert [texts.count(f"class {n}") for n in range(100)] == [2] * 100
    assert "(others)" not in texts
    draw_confusion(["a", "b"], np.eye(2, 3), "Title", [], tmp_path / "two.png")
    with Image.open(tmp_path / "two.png") as image:
        dark = (np.asarray(image.convert("RGB")) == (18, 58, 148)).all(axis=2)
    rows, columns = np.nonzero(dark)
    above = rows < (rows.min() + rows.max()) / 2
    assert columns[above].max() < columns[~above].min()  # above left, and below right
    assert 0.45 < dark.sum() / (np.ptp(rows) * np.ptp(columns)) < 0.51

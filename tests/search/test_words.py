"""Words: the rows of the classifier that is cut off, as queries and as guesses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.numpy import save_file
from samples import SAMPLES, InPanels, Run, hits_of

import vecsearch
from vecsearch import (
    EncoderConfig,
    IndexDamagedError,
    ListOptions,
    NotFoundError,
    QueryOptions,
    UsageError,
    Word,
)
from vecsearch.embed.backbones.backbone import Packaged
from vecsearch.embed.backbones.efficientnet_lite import EFFICIENTNET_LITE0
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.classifier import load_words, why_no_words
from vecsearch.embed.encoder import make_encoder
from vecsearch.embed.packaged import packaged_file
from vecsearch.embed.pca import train_projection
from vecsearch.embed.words import Words
from vecsearch.images.reader import read_image
from vecsearch.layout.clusters import name_groups
from vecsearch.store.writer import open_writer
from vecsearch.types import Guess

NETWORK = EncoderConfig(model="efficientnet-lite0", precision="fp32", engine="openvino")
FORMATS = Path(__file__).parent.parent / "formats"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the 39 sample pictures by a network with words."""
    folder = tmp_path_factory.mktemp("words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECSEARCH_CACHE", str(folder / "cache"))
        return vecsearch.build(SAMPLES, index=folder / "index", encoder=NETWORK).index


@pytest.fixture
def own(drawings: Path, tmp_path: Path) -> Path:
    """A copy of `drawings`, in a folder of its own."""
    return Path(shutil.copytree(drawings, tmp_path / "own"))


def kinds(hits: list[str]) -> list[str]:
    return [hit.rstrip("0123456789.jpg").removesuffix("_test") for hit in hits]


def asked(index: Path, *questions: str, k: int, **options: object) -> list[str]:
    """Ask with all *questions* as one, words in capitals, and give the kinds of the hits."""
    given = [Word(one.lower()) if one.isupper() else SAMPLES / one for one in questions]
    chosen = QueryOptions(combine="mean", **options)  # type: ignore[arg-type]
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query(given, k=k, options=chosen)
    return kinds([hit.path.name for hit in result.hits])


def test_a_word_finds_what_it_means_in_a_copied_index_and_needs_no_network(own: Path) -> None:
    code = f"""
import sys
from vecsearch.cli.main import cli
cli(["query", "--word", "PIZZA", "-i", "{own}", "-k", "3", "--json"], standalone_mode=False)
cli(["words", "pi", "-i", "{own}"], standalone_mode=False)
assert not {{"torch", "torchvision", "openvino", "PIL"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found, end = json.JSONDecoder().raw_decode(done.stdout)
    assert found[0]["query"] == "word:pizza"
    assert kinds([Path(hit["path"]).name for hit in found[0]["hits"]]) == ["pizza"] * 3
    listed = done.stdout[end:].split("\n")
    assert {"pizza", "pier", "African hunting dog", "wild boar"} & set(listed) == {"pizza", "pier"}
    assert "grand piano" in listed


def test_words_and_pictures_are_one_query(drawings: Path, run: Run) -> None:
    assert asked(drawings, "CHEESEBURGER", k=6) == ["burger"] * 6
    both = asked(drawings, "donut1.jpg", "CHEESEBURGER", k=8)
    assert {"donut", "burger"} <= set(both)
    assert {"burger", "pizza"} <= set(asked(drawings, "PIZZA", "CHEESEBURGER", k=10))
    more = asked(drawings, "burger1.jpg", "PIZZA", k=10).count("pizza")
    fewer = asked(drawings, "burger1.jpg", k=10, minus=Word("pizza")).count("pizza")
    assert more > fewer
    done = run("query", SAMPLES / "donut1.jpg", "--word", "cheeseburger", "--not-word", "bagel",
               "-i", drawings, "-k", "3", "--json")  # fmt: skip
    (result,) = json.loads(done.stdout)
    assert result["asked"][1:] == [
        {"query": "word:cheeseburger", "word": "cheeseburger"},
        {"query": "word:bagel", "word": "bagel", "minus": True},
    ]
    with vecsearch.open_index(drawings) as index, pytest.raises(UsageError, match="max does not"):
        index.query(["id:1", Word("pizza")], options=QueryOptions(combine="max"))


def test_a_listing_tells_the_likeliest_words(drawings: Path) -> None:
    with vecsearch.open_index(drawings) as index:
        options = ListOptions(words=True, sort="size", limit=5)
        listed = list(index.list_images(options))
        told = index.guess_at([one.path for one in listed])
    assert all(len(one.words) == 3 for one in listed)
    assert {one.path: one.words for one in listed} == told


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("German shepherd", "word:German shepherd"),
        ("shepherd", "word:German shepherd"),
        (" hotdog ", "word:hotdog"),
        ("cardigan", "word:cardigan"),  # there is a dog Cardigan too
        ("CARDIGAN", "word:Cardigan / cardigan"),
    ],
)
def test_a_word_is_found_however_it_is_written(drawings: Path, word: str, meant: str) -> None:
    with vecsearch.open_index(drawings) as index:
        assert index.query(Word(word), k=1)[0].query == meant


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (
            ("--word", "piza"),
            1,
            "the index has no word 'piza'; did you mean pizza? vecsearch words",
        ),
        (("--word", "burger"), 1, "has no word 'burger'; did you mean cheeseburger? vecsearch"),
        (("--word", "zq"), 1, "the index has no word 'zq'; vecsearch words lists all"),
        (("--word", "crab"), 2, "'crab' is in several words: Dungeness crab, rock crab, fiddler"),
        (("--word", " "), 2, "a word is empty; vecsearch words lists all"),
        (("id:1", "--not-word", "piza"), 1, "the index has no word 'piza'"),
    ],
)
def test_a_word_that_means_nothing_is_answered_in_a_line(
    drawings: Path, run: Run, arguments: tuple[str, ...], code: int, line: str
) -> None:
    done = run("query", *arguments, "-i", drawings, code=code)
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_index_without_words_says_why(index: Path, tmp_path: Path, run: Run) -> None:
    error = run("query", "--word", "pizza", "-i", index, code=1).stderr
    assert "has no words: its network is untrained; pretrained weights have words\n" in error
    assert "none, its network is untrained" in run("info", "-i", index).stdout
    assert run("info", "id:1", "-i", index).stdout.endswith("the index has none\n")
    old = shutil.copytree(FORMATS / "2", tmp_path / "old")
    with vecsearch.open_index(old) as opened:
        assert not opened.has_words
        with pytest.raises(NotFoundError, match="has no words"):
            opened.query(Word("pizza"))
        vgg19 = replace(opened.encoder, weights="imagenet", layers=("block5_pool",))
        lite = replace(vgg19, model="efficientnet-lite0", layers=("head",), pool="flatten")
    assert why_no_words(vgg19) == (
        "the classifier of VGG19 does not follow block5_pool", "--layer fc2 has words"
    )  # fmt: skip
    assert "not pooled" in why_no_words(lite)[0]
    assert "came without a classifier" in why_no_words(replace(lite, pool="gem", weights="x"))[0]


def test_given_weights_have_words_if_they_have_the_classifier(tmp_path: Path) -> None:
    state = torch.load(packaged_file(cast(Packaged, EFFICIENTNET_LITE0.facts.pretrained)))
    torch.save(state, tmp_path / "whole.pth")
    state["_fc.weight"] = state["_fc.weight"][:10]  # fine-tuned for ten classes
    torch.save(state, tmp_path / "tuned.pth")
    words = make_encoder(replace(NETWORK, weights=str(tmp_path / "whole.pth"))).words
    assert words is not None
    assert make_encoder(replace(NETWORK, weights=str(tmp_path / "tuned.pth"))).words is None
    assert make_encoder(replace(NETWORK, layer="stage7+head")).words is None
    assert make_encoder(replace(NETWORK, layer="stage7")).words is None
    # VGG19's length of features is not known, so its words have an order and no shares.
    rows = np.random.RandomState(0).normal(size=(1000, 4096)).astype(np.float32)
    save_file(
        {"classifier.6.weight": rows, "classifier.6.bias": np.zeros(1000, np.float32)},
        tmp_path / "vgg19.safetensors",
    )
    loaded = load_words(str(tmp_path / "vgg19.safetensors"), VGG19, ("fc2",), "gem")
    assert loaded is not None
    (guesses,) = loaded.guess(loaded.rows[7:8])
    assert guesses[0] == Guess(words.names[7], None)


def test_guesses_are_what_the_whole_network_says(drawings: Path) -> None:
    """By the package that has the network's own architecture, classifier and all."""
    network = EfficientNet.from_name("efficientnet-lite0")
    path = packaged_file(cast(Packaged, EFFICIENTNET_LITE0.facts.pretrained))
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    names = [f"burger{number}.jpg" for number in range(1, 7)] + ["pizza2.jpg", "donut3.jpg"]
    pixels = np.stack([cast(np.ndarray, read_image(SAMPLES / one, 224).pixels) for one in names])
    with torch.inference_mode():
        x = (torch.from_numpy(pixels).permute(0, 3, 1, 2) - 127.0) / 128.0
        shares = network(x).softmax(1).numpy()
    encoder = make_encoder(replace(NETWORK, pool="avg"))
    assert encoder.words is not None
    guesses = encoder.words.guess(encoder.embed(pixels))
    assert [one[0].word for one in guesses] == [
        encoder.words.names[true] for true in shares.argmax(axis=1)
    ]
    # The features' own lengths are not known to the index.
    found = np.array([one[0].share for one in guesses])
    assert np.abs(found - shares.max(axis=1)).mean() < 0.15
    with vecsearch.open_index(drawings) as index:  # by generalised means instead of means
        (seen,) = index.look(SAMPLES / "burger2.jpg")
        assert seen.id is not None
        assert seen.words[0].word == "cheeseburger"
        counts = {one.word: one.images for one in index.words(count=True)}
        assert sum(cast(int, count) for count in counts.values()) == 39
        assert counts["cheeseburger"] == max(cast(int, count) for count in counts.values())


def test_a_picture_that_is_not_in_the_index_has_words(own: Path, tmp_path: Path, run: Run) -> None:
    from PIL import Image

    Image.open(SAMPLES / "burger2.jpg").rotate(3).save(tmp_path / "new.png")
    printed = run("info", "new.png", "-i", own).stdout
    assert "not in the index" in printed
    assert "cheeseburger" in printed
    (fields,) = json.loads(run("info", "new.png", "-i", own, "--json").stdout)
    assert len(fields["words"]) == 3
    assert 0 < fields["words"][0]["share"] < 1
    assert "words        1,000" in run("info", "-i", own).stdout


def test_a_pca_takes_the_words_along(tmp_path: Path) -> None:
    """Where it loses nothing, scores of words are those of the classifier."""
    generator = np.random.RandomState(0)
    features = np.abs(generator.normal(size=(20, 60))).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    projection, _ = train_projection(InPanels(features, 60), 19)
    weight, bias = (generator.normal(size=s).astype(np.float32) for s in ((7, 60), 7))
    words = Words.of_classifier(list("abcdefg"), weight, bias, 15.0).projected(projection)
    short = features @ projection.matrix.T + projection.bias
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    logits = short / lengths @ words.rows.T * words.scales * lengths / projection.spread
    np.testing.assert_allclose(
        logits + words.biases, 15.0 * features @ weight.T + bias, rtol=1e-3, atol=1e-3
    )
    assert projection.spread == pytest.approx(float(np.sqrt((lengths**2).mean())), rel=1e-4)

    encoder = replace(NETWORK, dim=16)
    index = vecsearch.build(SAMPLES, index=tmp_path / "ix", encoder=encoder).index
    assert asked(index, "CHEESEBURGER", k=5) == ["burger"] * 5
    assert asked(index, "PIZZA", k=2) == ["pizza"] * 2


def test_the_second_new_index_needs_no_torch(photos: Path, tmp_path: Path) -> None:
    make_encoder(NETWORK)  # fills the cache
    code = f"""
import sys, vecsearch
config = vecsearch.EncoderConfig(model="efficientnet-lite0", precision="fp32", engine="openvino")
vecsearch.build("{photos}", index="{tmp_path}/again", encoder=config)
with vecsearch.open_index("{tmp_path}/again") as index:
    assert len(index.words()) == 1000
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_words_go_where_the_network_goes(drawings: Path, tmp_path: Path, run: Run) -> None:
    vecsearch.merge(drawings, index=tmp_path / "merged")
    assert asked(tmp_path / "merged", "CHEESEBURGER", k=6) == ["burger"] * 6
    run("export", "-o", "all.parquet", "-i", drawings)
    run("import", "all.parquet", "-i", "imported", "--encoder", drawings)
    (hits,) = hits_of(run("query", "--word", "pizza", "-i", "imported", "--json", "-k", "1"))
    assert kinds(hits) == ["pizza"]
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(tmp_path / "all.parquet").to_pylist()
    burger = next(row for row in table if row["path"].endswith("burger2.jpg"))
    assert burger["words"][0] == "cheeseburger"
    assert 0 < sum(burger["word_shares"]) <= 1


def named(name: str) -> Callable[[Words], Words]:
    return lambda words: replace(words, names=(name, *words.names[1:]))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda words: words.to_bytes()[:1000], "is no file of words"),
        (lambda words: b"\xff" * 64, "is no file of words"),
        (named("\x1b[31mred"), "has words that are not text"),
        (named("x" * 101), "has words that are not text"),
        (lambda words: replace(words, names=words.names[:-1]), "has float16 of shape"),
        (lambda words: replace(words, rows=words.rows[:, :-1]), "has float16 of shape"),
        (lambda words: replace(words, rows=words.rows * 2), "has rows that are not unit vectors"),
        (
            lambda words: replace(words, biases=words.biases * np.nan),
            "rows that are not unit vectors",
        ),
        (lambda words: replace(words, scales=words.scales[:5]), "no scale and bias for each word"),
    ],
    ids=["cut", "noise", "escapes", "long", "few names", "dim", "length", "nan", "scales"],
)
def test_words_of_somebody_else_are_not_believed(
    own: Path, spoil: Callable[[Words], Words | bytes], what: str
) -> None:
    """The catalog of such an index vouches for them."""
    (path,) = own.glob("encoder/*.words")
    spoiled = spoil(Words.from_bytes(path.read_bytes(), 1280))
    with open_writer(own) as writer:
        writer.replace_words(spoiled if isinstance(spoiled, bytes) else spoiled.to_bytes())
    with vecsearch.open_index(own) as index, pytest.raises(IndexDamagedError, match=what):
        index.query(Word("pizza"))
    (problem,) = vecsearch.verify(own).problems
    assert problem.kind == "words"
    assert what in problem.what


def test_damaged_words_are_found_and_had_again(own: Path, run: Run) -> None:
    (path,) = own.glob("encoder/*.words")
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + b"damaged" + whole[5007:])
    with vecsearch.open_index(own) as index:
        assert index.query("id:1")[0].hits  # what does not need them is answered
        with pytest.raises(IndexDamagedError, match="is not what was written"):
            index.query(Word("pizza"))
    (problem,) = vecsearch.verify(own).problems
    assert problem.path == path
    assert "mended" in run("repair", "-i", own).stdout
    (mended,) = own.glob("encoder/*.words")
    assert mended.read_bytes() == whole


def test_damaged_words_of_a_pca_are_lost_and_nothing_else(
    photos: Path, tmp_path: Path, run: Run
) -> None:
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=replace(NETWORK, dim=4)).index
    (path,) = index.glob("encoder/*.words")
    path.write_bytes(b"")
    assert "lost: the words of the index" in run("repair", "-i", index, code=1).stdout
    assert not vecsearch.verify(index).problems
    with vecsearch.open_index(index) as opened:
        assert "lost them" in opened.info().why_no_words


def test_clusters_are_named_by_words_where_file_names_say_nothing() -> None:
    labels = np.array([0] * 4 + [1] * 4 + [2] * 4)
    paths = [Path(f"/p/img_{number:04d}.jpg") for number in range(12)]
    guesses = (
        [(Guess("pizza", 0.6), Guess("plate", 0.35))] * 4
        + [(Guess("plate", 0.4), Guess("cup", 0.4))] * 4
        + [(Guess("daisy", 0.01), Guess("bee", 0.01))] * 4
    )
    found = [group.name for group in name_groups(labels, paths, guesses=guesses)]
    assert found == ["pizza", "cup", "cluster 3"]
    titled = [Path(f"/p/{name}_{n}.jpg") for name in ("red", "green", "blue") for n in range(4)]
    found = [group.name for group in name_groups(labels, titled, guesses=guesses)]
    assert found == ["red", "green", "blue"]


def test_pages_show_words(drawings: Path, tmp_path: Path, run: Run) -> None:
    run("query", "--word", "pizza", "-i", drawings, "--html", "hits.html", "--sheet", "hits.png")
    run("viz", "-i", drawings, "--method", "pca", "--html", "map.html")
    for name in ("hits.html", "map.html"):
        page = (tmp_path / name).read_text()
        data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
        assert "pizza" in data["words"]["names"], name
        assert data["words"]["most"] == 3

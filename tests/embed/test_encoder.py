"""The encoder: layers, poolings, engines, PCA, and the network that an index carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from samples import SAMPLES, InPanels
from sklearn.datasets import load_sample_images
from torchvision.models import vgg

from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.encoder import EncoderConfig, make_encoder, open_encoder, open_query_engine
from vecsearch.embed.engines.openvino_runtime import ov
from vecsearch.embed.graph import read_parameters
from vecsearch.embed.layers import feature_dim, parse_layers
from vecsearch.embed.pca import train_projection
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError, UsageError
from vecsearch.images.decoders.to_rgb import decode, preprocess
from vecsearch.images.reader import read_image
from vecsearch.types import Pixels, Vectors


@cache
def pictures() -> Pixels:
    """Crops of scikit-learn's two photographs, and four sample pictures: (12, 224, 224, 3)."""
    crops = [
        preprocess(Image.fromarray(photo[top : top + 300, left : left + 400]), 224)
        for photo in load_sample_images().images
        for top, left in ((0, 0), (120, 0), (0, 230), (120, 230))
    ]
    samples = [read_image(SAMPLES / name, 224).pixels for name in
               ("burger1.jpg", "salad2.jpg", "sushi3.jpg", "donut_test.jpg")]  # fmt: skip
    return np.stack([*crops, *(pixels for pixels in samples if pixels is not None)])


def embed(
    engine: str, precision: str, layer: str, pool: str = "gem", *, count: int = 12
) -> Vectors:
    config = EncoderConfig(
        layer=layer, pool=pool, weights="random:1", precision=precision, engine=engine
    )
    encoder = make_encoder(config)
    batches = [(start, pictures()[start : start + 4]) for start in range(0, count, 4)]
    found = dict(encoder.stream(batches))
    return np.concatenate([found[start] for start in range(0, count, 4)])


def cosines(a: Vectors, b: Vectors) -> npt.NDArray[np.float32]:
    return np.asarray((a * b).sum(axis=1))


@pytest.mark.parametrize(
    ("layer", "pool", "precision", "least"),
    [
        ("block5_pool", "gem", "fp32", 0.9999),
        ("block4_pool", "flatten", "fp32", 0.9999),
        ("block2_conv2+block3_pool", "avg", "fp32", 0.9999),
        ("block3_conv4", "max", "fp32", 0.9999),
        # A processor without bfloat16 takes torch half a minute for four pictures and more layers.
        ("block1_conv2+block2_pool", "gem", "bf16", 0.999),
    ],
)
def test_both_engines_give_the_same_unit_vectors(
    layer: str, pool: str, precision: str, least: float
) -> None:
    a, b = (embed(engine, precision, layer, pool, count=4) for engine in ("openvino", "torch"))
    assert a.shape == b.shape == (4, feature_dim(VGG19, parse_layers(VGG19, layer), pool))
    assert a.dtype == b.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, atol=1e-4)
    assert cosines(a, b).min() >= least


def test_layers_are_pooled_by_generalised_means_and_weigh_the_same() -> None:
    config = EncoderConfig(
        layer="block1_conv1+block1_conv2", weights="random:1", precision="fp32", engine="openvino"
    )
    encoder = make_encoder(config)
    arrays = {name: torch.tensor(one) for name, one in read_parameters(encoder.graph).items()}
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (encoder.spec.mean, encoder.spec.std))
    x = (torch.from_numpy(pictures()[:2].copy()).permute(0, 3, 1, 2) / 255 - mean) / std
    features = []
    for number in (0, 2):
        weight, bias = (arrays[f"features.{number}.{kind}"] for kind in ("weight", "bias"))
        x = torch.nn.functional.conv2d(x, weight, bias, padding=1).relu()
        pooled = (x.double() ** 3).mean((2, 3)) ** (1 / 3)
        features.append((pooled / pooled.norm(dim=1, keepdim=True)).numpy())
    expected = np.concatenate(features, axis=1) / np.sqrt(2)
    np.testing.assert_allclose(encoder.embed(pictures()[:2]), expected, atol=1e-3)


def test_bf16_is_close_to_fp32_at_the_default_layer() -> None:
    a, b = (embed("openvino", precision, "block5_pool") for precision in ("fp32", "bf16"))
    assert cosines(a, b).min() >= 0.999


def test_the_fully_connected_layers_are_torchvisions() -> None:
    """fc1 and fc2 against torchvision's own classifier, flattening order included."""
    ours = embed("openvino", "fp32", "fc2")[:2]
    config = EncoderConfig(layer="fc2", weights="random:1", precision="fp32", engine="torch")
    encoder = make_encoder(config)
    with torch.device("meta"):
        network = vgg.vgg19()
    arrays = read_parameters(encoder.graph)
    state = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    state |= {"classifier.6.weight": torch.zeros(1, 4096), "classifier.6.bias": torch.zeros(1)}
    network.classifier[6] = torch.nn.Linear(4096, 1, device="meta")
    network.load_state_dict(state, assign=True)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (encoder.spec.mean, encoder.spec.std))
    x = torch.from_numpy(pictures()[:2].copy()).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        y = network.features((x - mean) / std).flatten(1)
        y = network.classifier.eval()[:5](y).numpy()
    expected = y / np.linalg.norm(y, axis=1, keepdims=True)
    assert cosines(ours, expected).min() >= 0.99999


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_classifier_is_never_built(engine: str) -> None:
    config = EncoderConfig(layer="block5_pool", weights="random:1", engine=engine)
    encoder = make_encoder(config)
    assert sum(array.size for array in read_parameters(encoder.graph).values()) == 20_024_384
    if engine == "torch":
        network = encoder.engine._network  # type: ignore[attr-defined]
        assert sum(one.numel() for one in network.buffers() if one.numel() > 64) < 20_030_000
    else:
        assert len(encoder.serialize()[1]) < 4.1 * 20_024_384


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_network_in_the_index_is_the_one_that_built_it(precision: str, tmp_path: Path) -> None:
    config = EncoderConfig(layer="block2_pool", weights="random:1", precision=precision)
    encoder = make_encoder(config)
    vectors = encoder.embed(pictures())
    projection, _ = train_projection(InPanels(vectors, 100), 6)
    reduced = vectors @ projection.matrix.T + projection.bias
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True)
    encoder = encoder.with_projection(projection)
    files = encoder.serialize()
    expected = encoder.reread(*files).embed(pictures())
    assert expected.shape == (12, 6)
    assert cosines(expected, reduced).min() >= 0.999
    spec = EncoderSpec.from_json(encoder.spec.to_json())
    assert spec == encoder.spec
    kept = (tmp_path / "e.xml", tmp_path / "e.bin")
    for path, data in zip(kept, files, strict=True):
        path.write_bytes(data)
    for _ in ("compiled", "from the cache"):
        query = open_query_engine(spec, *kept, b"content").embed(pictures())
        assert cosines(query, expected).min() >= 0.99999
    for engine in ("openvino", "torch"):
        again = open_encoder(spec, *kept, engine=engine).embed(pictures()[:2])
        assert cosines(again, expected[:2]).min() >= 0.9999


def test_the_fingerprint_changes_with_whatever_changes_a_vector() -> None:
    def spec(**choice: str) -> EncoderSpec:
        base = {"layer": "block1_pool", "weights": "random:0", "precision": "fp32"}
        chosen = base | choice
        return make_encoder(
            EncoderConfig(
                layer=chosen["layer"],
                weights=chosen["weights"],
                precision=chosen["precision"],
                pool=chosen.get("pool"),
                engine="openvino",
            )
        ).spec

    specs: Sequence[EncoderSpec] = (
        spec(),
        spec(layer="block1_conv2"),
        spec(pool="avg"),
        spec(weights="random:1"),
        spec(precision="bf16"),
    )
    assert len({one.fingerprint for one in specs}) == len(specs)
    assert spec().fingerprint == specs[0].fingerprint


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_negative_activations_have_a_generalised_mean(engine: str) -> None:
    """The stages of EfficientNet-Lite end without a ReLU."""
    config = EncoderConfig(
        model="efficientnet-lite0", layer="stage2", pool="gem", weights="random:1",
        precision="fp32", engine=engine,
    )  # fmt: skip
    vectors = make_encoder(config).embed(pictures()[:2])
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_parameters_are_read_back_from_float16_too(tmp_path: Path) -> None:
    config = EncoderConfig(layer="block1_pool", weights="random:1", engine="openvino")
    for path, data in zip(("e.xml", "e.bin"), make_encoder(config).serialize(), strict=True):
        (tmp_path / path).write_bytes(data)
    model = ov.Core().read_model(tmp_path / "e.xml")
    ov.save_model(model, tmp_path / "half.xml", compress_to_fp16=True)
    whole = read_parameters(model)
    half = read_parameters(ov.Core().read_model(tmp_path / "half.xml"))
    assert whole.keys() == half.keys()
    assert len(whole) == 4
    for name, array in whole.items():
        np.testing.assert_allclose(half[name], array, atol=1e-3)


def test_the_name_of_weights_is_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    spec = make_encoder(EncoderConfig(layer="block1_pool", weights="random:1")).spec
    assert replace(spec, weights="/elsewhere/w.pth").fingerprint == spec.fingerprint
    assert replace(spec, weights_hash="0" * 64).fingerprint != spec.fingerprint
    older = replace(spec, preprocessing=spec.preprocessing - 1)
    assert older.fingerprint != spec.fingerprint
    spec.check_current(tmp_path)
    with pytest.raises(EncoderMismatchError, match="prepared in another way"):
        older.check_current(tmp_path)


@pytest.mark.parametrize("text", ["block6_pool", "", "fc3", "block5_pool+block5_pool"])
def test_unknown_layers_are_refused_with_the_list_of_known_ones(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_layers(VGG19, text)
    if "+" not in text:
        assert all(layer.name in str(caught.value) for layer in VGG19.layers)


def test_golden_vectors() -> None:
    """A few components, so that no change of the network or the preprocessing goes unnoticed."""
    vector = embed("openvino", "fp32", "block3_pool")[0]
    assert vector.shape == (256,)
    np.testing.assert_allclose(
        vector[[0, 1, 100, 255]], [0.06051, 0.05330, 0.05977, 0.04844], atol=2e-4
    )


def test_reduced_decoding_of_large_jpegs_keeps_the_vectors(tmp_path: Path) -> None:
    """Over the two photographs enlarged, and mosaics of their pieces at full detail."""
    generator = np.random.RandomState(0)
    photographs = [Image.fromarray(photo) for photo in load_sample_images().images]
    pictures = [photo.resize((4000, 3000), Image.Resampling.LANCZOS) for photo in photographs]
    for _ in range(2):
        mosaic = Image.new("RGB", (2800, 2100))
        for left in range(0, 2800, 280):
            for top in range(0, 2100, 210):
                x, y = generator.randint(0, 640 - 280), generator.randint(0, 427 - 210)
                piece = photographs[generator.randint(2)].crop((x, y, x + 280, y + 210))
                mosaic.paste(piece, (left, top))
        pictures.append(mosaic)
    both: tuple[list[Pixels], list[Pixels]] = ([], [])
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}.jpg"
        picture.save(path, quality=92)
        reduced = read_image(path, 224).pixels
        assert reduced is not None
        both[0].append(reduced)
        both[1].append(preprocess(decode(path.read_bytes())[0], 224))
    assert all((a != b).any() for a, b in zip(*both, strict=True))
    encoder = make_encoder(EncoderConfig(weights="random:0", precision="fp32"))
    assert cosines(*(encoder.embed(np.stack(pixels)) for pixels in both)).mean() >= 0.9995

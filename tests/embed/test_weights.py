"""Pretrained weights without a network: a checkpoint served from loopback, and what is refused."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import Run, draw

import vecsearch
from vecsearch import EncoderConfig, UsageError, WeightsError
from vecsearch.embed.backbones.backbone import Downloaded
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.weights import Weights, load_weights, random_arrays, read_arrays

CONVOLUTIONS = VGG19.parameters("block5_pool")
LAYER = "block1_pool"


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder, counts requests, and can break off after ``cut`` bytes."""

    requests = 0
    cut: int | None = None


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.server.cut is None:
            return super().do_GET()
        data = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: self.server.cut])
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(a) for name, a in random_arrays(3, CONVOLUTIONS).items()}


@pytest.fixture(scope="module")
def checkpoint(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint named as PyTorch names them: the start of its SHA-256 behind a dash."""
    path = tmp_path_factory.mktemp("served") / "vgg19.pth"
    torch.save({**state, "classifier.6.bias": torch.zeros(1000)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(path.with_name(f"vgg19-{digest}.pth"))


@pytest.fixture
def server(checkpoint: Path) -> Iterator[Server]:
    handler = functools.partial(Handler, directory=str(checkpoint.parent))
    with Server(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url_of(server: Server, name: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{name}"


def cache_files() -> list[Path]:
    return sorted(Path(os.environ["VECSEARCH_CACHE"]).rglob("*.*"))


def test_a_checkpoint_is_downloaded_once_and_its_truncated_part_kept(
    server: Server, checkpoint: Path, state: dict[str, torch.Tensor]
) -> None:
    seen: list[tuple[str, int, int]] = []
    url = url_of(server, checkpoint.name)
    first = load_weights(url, VGG19, LAYER, lambda *report: seen.append(report))
    assert server.requests == 1
    assert seen[-1][1:] == (checkpoint.stat().st_size,) * 2
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, state[name].numpy())
    (kept,) = cache_files()
    assert hashlib.sha256(kept.read_bytes()).hexdigest().startswith(kept.name.split(".")[-2])
    again = load_weights(url, VGG19, LAYER)
    deeper = load_weights(url, VGG19, "block5_pool")
    assert server.requests == 1
    assert again.sha256() == first.sha256() != deeper.sha256()


def test_a_build_takes_its_weights_from_a_url(
    server: Server, checkpoint: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    url = url_of(server, checkpoint.name)
    said = run("build", photos, "-i", "ix", "--layer", "block1_conv1", "--weights", url).stderr
    size = f"{checkpoint.stat().st_size / 1e6:.0f} MB"
    way = "--model efficientnet-lite0 needs no download"
    assert said == f"downloading {url} once ({size}); {way}\n"
    assert "weights" in run("info", "-i", "ix").stdout
    again = run(
        "build", photos, "-i", "other", "--layer", "block1_conv1", VECSEARCH_BUILD_WEIGHTS=url
    )
    assert not again.stderr
    assert server.requests == 1
    run("query", photos / "p1.png", "-i", "other")


def test_another_hash_is_refused(server: Server, checkpoint: Path) -> None:
    wrong = checkpoint.with_name("vgg19-00000000.pth")
    wrong.write_bytes(checkpoint.read_bytes())
    with pytest.raises(WeightsError, match="is not the expected file: its SHA-256 begins with"):
        load_weights(url_of(server, wrong.name), VGG19, LAYER)
    assert cache_files() == []


def test_half_a_download_is_refused(server: Server, checkpoint: Path) -> None:
    server.cut = 100_000
    with pytest.raises(WeightsError, match="the connection ended after 100000 of"):
        load_weights(url_of(server, checkpoint.name), VGG19, LAYER)
    assert cache_files() == []
    server.cut = None
    assert load_weights(url_of(server, checkpoint.name), VGG19, LAYER).arrays


def test_a_url_without_a_hash_is_refused(server: Server) -> None:
    with pytest.raises(WeightsError, match="has no hash in its name"):
        load_weights(url_of(server, "vgg19.pth"), VGG19, LAYER)
    assert server.requests == 0


def test_damaged_cached_weights_are_refused(server: Server, checkpoint: Path) -> None:
    url = url_of(server, checkpoint.name)
    load_weights(url, VGG19, LAYER)
    (kept,) = cache_files()
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    with pytest.raises(WeightsError, match="are damaged; delete the file"):
        load_weights(url, VGG19, LAYER)


def test_no_weights_and_no_network_is_one_line_that_names_the_ways_out(
    photos: Path, tmp_path: Path, run: Run
) -> None:
    # A port that nobody listens on stands for a machine without a network.
    done = run(
        "build", photos, "-i", "ix", "--weights", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth", code=1
    )
    assert done.stderr.count("\n") == 1
    for way in ("--weights FILE", "127.0.0.1:9", "connect to the network"):
        assert way in done.stderr
    assert "; --model efficientnet-lite0 needs no download, " in done.stderr  # the first way
    assert "random" not in done.stderr
    assert not (tmp_path / "ix").exists()


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch attacked",)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (pickle.dumps(Attack(), protocol=2), "is refused"),
        (b"\x00\x01 nothing of the kind", "is (not a PyTorch checkpoint|refused)"),
        (b"", "is not a PyTorch checkpoint"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(
    content: bytes, match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=match) as caught:
        read_arrays(path, VGG19, LAYER)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "attacked").exists()


def test_a_zipped_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"features.0.weight": Attack()}, path)
    with pytest.raises(WeightsError, match="is refused: it holds more than tensors"):
        read_arrays(path, VGG19, LAYER)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="not a state dict but a list"):
        read_arrays(path, VGG19, LAYER)


def test_the_old_format_of_torchvision_can_be_read(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "old.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    arrays = read_arrays(path, VGG19, LAYER)
    np.testing.assert_array_equal(arrays["features.2.bias"], state["features.2.bias"].numpy())


def test_safetensors_and_checkpoint_give_one_fingerprint(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    hashes = {
        load_weights(str(tmp_path / name), VGG19, LAYER).sha256()
        for name in ("w.pth", "w.safetensors")
    }
    assert len(hashes) == 1
    (tmp_path / "w.safetensors").write_bytes(b"\x08" * 40)
    with pytest.raises(WeightsError, match="is not a safetensors file"):
        load_weights(str(tmp_path / "w.safetensors"), VGG19, LAYER)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"is not a VGG19: it has shape \(8, 3, 3, 3\) for"):
        read_arrays(tmp_path / "w.pth", VGG19, LAYER)


@pytest.mark.parametrize("source", ["random:", "random:x", "random:-1", "random:4294967296"])
def test_a_seed_must_be_one(source: str) -> None:
    with pytest.raises(UsageError, match="needs a seed"):
        load_weights(source, VGG19, LAYER)


def test_the_download_is_torchvisions_own_file() -> None:
    from torchvision.models import VGG19_Weights

    pretrained = VGG19.facts.pretrained
    assert isinstance(pretrained, Downloaded)
    assert pretrained.url == VGG19_Weights.IMAGENET1K_V1.url
    megabytes = VGG19_Weights.IMAGENET1K_V1.meta["_file_size"]  # of 1,048,576 bytes
    assert round(pretrained.size_bytes / 2**20, 3) == megabytes


def test_random_weights_are_the_same_everywhere(tmp_path: Path) -> None:
    """A golden value: a change here would make every index of untrained weights unreadable."""
    assert load_weights("random:0", VGG19, LAYER).sha256().startswith("36e97dc1116efde0")
    arrays = random_arrays(0, VGG19.parameters(LAYER))
    assert abs(arrays["features.2.weight"].mean(axis=(1, 2, 3))).max() < 1e-6
    draw(tmp_path / "one.png", 1)
    config = EncoderConfig(layer="block1_conv1", weights="random:0", precision="fp32")
    vecsearch.build(tmp_path, index=tmp_path / "ix", encoder=config)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = {
        name: torch.from_numpy(a) for name, a in random_arrays(3, VGG19.parameters(LAYER)).items()
    }
    state["features.2.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"features.2.weight has values that are no numbers"):
        read_arrays(tmp_path / "w.pth", VGG19, LAYER)
    state["features.2.weight"] = torch.ones(64, 64, 3, 3, dtype=torch.complex64)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"it has no features.2.weight"):
        read_arrays(tmp_path / "w.pth", VGG19, LAYER)


def test_names_and_shapes_of_weights_count_for_their_hash() -> None:
    values = np.arange(6, dtype=np.float32)
    square = np.arange(6, dtype=np.float32).reshape(2, 3)
    weights = (
        Weights("w", {"a": values}),
        Weights("w", {"b": values}),
        Weights("w", {"a": square}),
        Weights("w", {"a": values + 1}),
    )
    assert len({one.sha256() for one in weights}) == 4
    both = {"a": values, "b": values + 1}
    assert Weights("w", both).sha256() == Weights("v", dict(reversed(both.items()))).sha256()


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    arrays = random_arrays(0, VGG19.parameters("block1_pool"))
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    torch.save(state, tmp_path / "w.pth")
    assert load_weights(str(tmp_path / "w.pth"), VGG19, "block1_pool").arrays.keys() == state.keys()
    torch.save({name: one.to(torch.int64) for name, one in state.items()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="it has no "):
        load_weights(str(tmp_path / "w.pth"), VGG19, "block1_pool")

"""JPEGs decoded and resized by torch, here on a CPU: the pixels and vectors of Pillow's path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from samples import CHEAP, SAMPLES, draw

import vecsearch
from vecsearch import BuildOptions, EncoderConfig, UsageError
from vecsearch.embed.encoder import make_encoder
from vecsearch.embed.engines.device_decoder import decode_jpegs, jpeg_decoder
from vecsearch.images.decoders.jpeg import Jpeg, JpegDecoder, plain_jpeg
from vecsearch.images.reader import ReadImage, read_images
from vecsearch.types import Pixels

STEAKHOUSE = os.environ.get("VECSEARCH_STEAKHOUSE", "")
needs_steakhouse = pytest.mark.skipif(
    not STEAKHOUSE, reason="VECSEARCH_STEAKHOUSE does not name the photographs of the original"
)
DEVICE = BuildOptions(decode="device")
TORCH = EncoderConfig(layer="block1_pool", weights="random:0", precision="fp32", engine="torch")


def read(paths: Sequence[Path], decoder: JpegDecoder | None = None) -> list[ReadImage | str]:
    """Return for every path, in order, the image or the reason why there is none."""
    outcomes = read_images(enumerate(paths), 224, decode_jpegs=decoder)
    found = {one.tag: one.image or one.reason for one in outcomes}
    return [found[number] for number in range(len(paths))]


def squares(images: Sequence[ReadImage | str]) -> Pixels:
    pixels = [one.pixels for one in images if isinstance(one, ReadImage)]
    return np.stack([one for one in pixels if one is not None])


def assert_read_alike(path: Path, refused: bool = False) -> None:
    """Read by both ways, the same but for rounding; *refused* tells that torch is not to do it."""
    asked: list[Jpeg] = []

    def decoder(jpegs: Sequence[Jpeg], size: int) -> list[Pixels | None]:
        asked.extend(jpegs)
        return decode_jpegs(jpegs, size)

    (theirs,), (ours,) = read([path]), read([path], decoder)
    assert bool(asked) != refused
    if isinstance(theirs, str):
        assert ours == theirs
    else:
        assert isinstance(ours, ReadImage)
        assert (ours.file, ours.jpeg) == (theirs.file, None)
        difference = np.abs(squares([ours]).astype(int) - squares([theirs]))
        assert difference.max() <= 2
        assert difference.mean() < 0.2  # Pillow takes some tall ones by columns first


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(SAMPLES, id="samples"),
        pytest.param(Path(STEAKHOUSE, "steakhouse"), id="steakhouse", marks=needs_steakhouse),
    ],
)
def test_the_vectors_are_those_of_pillows_path(folder: Path) -> None:
    """The pixels of all pictures, and the vectors of every third, which take the time."""
    paths = sorted(folder.glob("*.jp*g"))
    both = [squares(read(paths, decoder)) for decoder in (None, jpeg_decoder())]
    assert both[0].shape == both[1].shape == (39, 224, 224, 3)
    assert np.abs(both[0].astype(int) - both[1]).mean(axis=(1, 2, 3)).max() < 0.2
    encoder = make_encoder(EncoderConfig(weights="random:0", precision="fp32", engine="openvino"))
    theirs, ours = (
        np.concatenate(
            [vectors for _, vectors in encoder.stream(enumerate(np.array_split(pixels[::3], 3)))]
        )
        for pixels in both
    )
    cosines = (theirs * ours).sum(axis=1)
    assert cosines.mean() >= 0.9995
    assert cosines.min() >= 0.998


@pytest.mark.parametrize("orientation", range(9))
def test_exif_orientations(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    with Image.open(SAMPLES / "pizza3.jpg") as picture:
        picture.save(path, exif=exif, quality=95)
    assert_read_alike(path)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"quality": 10}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_plain_jpegs(mode: str, options: dict[str, Any], tmp_path: Path) -> None:
    with Image.open(SAMPLES / "pizza3.jpg") as picture:
        picture.convert(mode).save(tmp_path / "plain.jpg", **options)
    assert_read_alike(tmp_path / "plain.jpg")


@pytest.mark.parametrize("what", ["CMYK", "PNG", "RGB", "MPO", "half", "empty", "header", "tail"])
def test_what_is_no_plain_jpeg_is_left_to_pillow(what: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    with Image.open(SAMPLES / "pizza3.jpg") as picture:
        match what:
            case "CMYK":
                picture.convert("CMYK").save(path)
            case "RGB":
                picture.save(path, keep_rgb=True)
            case "PNG":
                picture.save(path, "PNG")
            case "MPO":
                picture.save(path, "MPO", save_all=True, append_images=[picture.copy()])
    data = (SAMPLES / "pizza3.jpg").read_bytes()
    damaged = {
        "half": data[: len(data) // 2],
        "empty": b"",
        "header": data[:2] + bytes(200) + data[202:],
        "tail": data + b"more",
    }
    if what in damaged:
        path.write_bytes(damaged[what])
    assert_read_alike(path, refused=True)


@pytest.mark.parametrize("place", [0.05, 0.3, 0.8])
def test_damage_inside_is_taken_or_refused_as_by_pillow(place: float, tmp_path: Path) -> None:
    data = (SAMPLES / "pizza3.jpg").read_bytes()
    start = int(place * len(data))
    (tmp_path / "zeros.jpg").write_bytes(data[:start] + bytes(300) + data[start + 300 :])
    (tmp_path / "short.jpg").write_bytes(data[:start] + b"\xff\xd9")
    for name in ("zeros.jpg", "short.jpg"):
        (theirs,), (ours,) = read([tmp_path / name]), read([tmp_path / name], decode_jpegs)
        assert isinstance(ours, str) == isinstance(theirs, str)


def test_one_that_torch_refuses_is_found_among_many() -> None:
    jpegs = [plain_jpeg(path.read_bytes(), 10**6) for path in sorted(SAMPLES.glob("*.jpg"))[:5]]
    jpegs[3] = Jpeg(b"no picture", 8, 8, 1)
    found = decode_jpegs([jpeg for jpeg in jpegs if jpeg], 224)
    assert [pixels is None for pixels in found] == [False, False, False, True, False]


def test_what_the_decoder_refuses_is_decoded_by_pillow(tmp_path: Path) -> None:
    def refusing(jpegs: Sequence[Jpeg], size: int) -> list[Pixels | None]:
        return [None for _ in jpegs]

    paths = sorted(SAMPLES.glob("*.jpg"))[:3]
    np.testing.assert_array_equal(squares(read(paths)), squares(read(paths, refusing)))


def test_jpegs_go_to_the_decoder_in_groups() -> None:
    groups: list[int] = []

    def counting(jpegs: Sequence[Jpeg], size: int) -> list[Pixels | None]:
        groups.append(len(jpegs))
        return [np.zeros((size, size, 3), np.uint8) for _ in jpegs]

    assert len(squares(read(70 * [SAMPLES / "pizza3.jpg"], counting))) == 70
    assert groups == [64, 6]


def test_a_build_is_as_with_pillow(photos: Path, tmp_path: Path) -> None:
    """The same images and skipped files, for the same reasons, and nearly the same vectors."""
    good = (photos / "more" / "p10.jpg").read_bytes()
    for number in range(20, 28):
        draw(photos / f"p{number}.jpg", number)
    (photos / "half.jpg").write_bytes(good[: len(good) // 2])
    (photos / "none.jpg").write_bytes(b"\xff\xd8\xff nothing \xff\xd9")
    draw(photos / "large.jpg", 30, (1100, 1000))
    found = []
    for decode in ("cpu", "device"):
        options = BuildOptions(decode=decode, max_megapixels=1)
        encoder = EncoderConfig(
            layer="block1_pool", weights="random:0", precision="fp32", engine="torch", dim=8
        )
        folder = tmp_path / decode
        report = vecsearch.build(photos, index=folder, encoder=encoder, options=options)
        assert (report.counts.added, report.counts.skipped) == (20, 3)
        assert vecsearch.build(index=folder, options=BuildOptions()).counts.unchanged == 20
        with vecsearch.open_index(folder) as index:
            images, vectors = index.vectors()
            skipped = sorted((one.path.name, one.reason) for one in index.info().skipped)
        facts = [(image.path, image.width, image.height) for image in images]
        found.append((facts, skipped, vectors))
    assert found[0][:2] == found[1][:2]
    # Each has trained its own PCA, whose axes may point either way.
    theirs, ours = (vectors @ vectors.T for _, _, vectors in found)
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_only_the_torch_engine_has_a_decoder(photos: Path, index: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--decode device is for the torch engine"):
        vecsearch.build(photos, index=tmp_path / "new", encoder=CHEAP, options=DEVICE)
    assert not (tmp_path / "new").exists()
    with pytest.raises(UsageError, match="--decode device is for the torch engine"):
        vecsearch.build(index=index, encoder=CHEAP, options=DEVICE)
    draw(photos / "new.jpg", 50)
    config = EncoderConfig(engine="torch")
    assert vecsearch.build(index=index, encoder=config, options=DEVICE).counts.added == 1
    with pytest.raises(UsageError, match="unknown decoder 'gpu'; known are cpu, device"):
        BuildOptions(decode="gpu")


def test_a_torch_without_a_decoder_is_told_at_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torchvision.io, "decode_jpeg")
    with pytest.raises(UsageError, match="torch decodes no JPEGs here"):
        vecsearch.build(photos, index=tmp_path / "new", encoder=TORCH, options=DEVICE)


def test_a_decoder_with_coarser_colours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that repeats the colours of subsampled JPEGs where libjpeg interpolates."""
    original = torchvision.io.decode_jpeg

    def coarse(*arguments: Any) -> list[torch.Tensor]:
        pictures = []
        for picture in original(*arguments):
            ycc = np.array(Image.fromarray(picture.permute(1, 2, 0).numpy()).convert("YCbCr"))
            ycc[..., 1:] = ycc[::2, ::2, 1:].repeat(2, axis=0).repeat(2, axis=1)
            rgb = np.array(Image.fromarray(ycc, "YCbCr").convert("RGB"))
            pictures.append(torch.from_numpy(rgb).permute(2, 0, 1))
        return pictures

    monkeypatch.setattr(torchvision.io, "decode_jpeg", coarse)
    with pytest.raises(UsageError, match="levels from Pillow's"):
        jpeg_decoder()

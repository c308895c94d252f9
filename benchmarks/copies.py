"""Copies of photographs: what cosines, hashes and pixels find of thirteen edits of each.

    python benchmarks/copies.py FOLDER... [--model NAME] [--weights W] [--peers PYTHON] [--work DIR]

Every picture below FOLDER is edited in the ways of ``edits.py``. Each picture is then paired with
all edits of all pictures, and with the other pictures: a pair counts as true if it has one source.
Of every two pictures of a folder one is for choosing thresholds, the other is held out, and only
pairs of pictures that are held out are reported. A threshold is the one that finds most while at
least 99% of the pairs found are true. Pictures of one folder are meant to look alike; such as are
real copies of others are left out, see `COPIES`.

PYTHON is an interpreter that has imagededup, and czkawka if it is to be measured. DIR keeps edits
and indexes, for another run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt
from edits import EDITS
from PIL import Image

import vecsearch
from vecsearch import EncoderConfig
from vecsearch.deduplication.coarse_to_fine import COPY_SHARE
from vecsearch.deduplication.ranked_images import rank_images
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.template_matching import as_unit_vectors
from vecsearch.deduplication.thresholds import copy_cosines
from vecsearch.deduplication.verifier import NEAR, Verifier

PRECISION: Final = 0.99
QUALITY: Final = 90
COPIES: Final = {
    "Faces_easy/image_0271.jpg": "Faces/image_0271.jpg, cropped",
    "crocodile_head/image_0043.jpg": "crocodile/image_0046.jpg, cropped",
    "garfield/image_0024.jpg": "garfield/image_0023.jpg, in another hue",
    "menorah/image_0017.jpg": "menorah/image_0015.jpg",
    "metronome/image_0011.jpg": "metronome/image_0010.jpg",
    "snoopy/image_0014.jpg": "snoopy/image_0010.jpg, larger",
    "snoopy/image_0015.jpg": "snoopy/image_0008.jpg, framed",
}
"""Pictures of Caltech-101 that are copies of others, found by looking at the likeliest pairs."""

Scores = npt.NDArray[np.float64]
"""(n, n, 14): how alike a source picture, a source's version, and which version are; the version 0
is the source itself."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a threshold finds among pairs: the shares of all, of each edit, and the precision."""

    threshold: float
    recall: float
    precision: float
    by_edit: list[float]


def list_pictures(folders: Sequence[Path]) -> list[Path]:
    """List the pictures below *folders* but for `COPIES`."""
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
        and f"{path.parent.name}/{path.name}" not in COPIES
    ]


def make_versions(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """Write every picture and its edits into *folder*, once; list all versions of each in turn."""
    paths = []
    for number, path in enumerate(pictures):
        own = folder / f"{number:04d}"
        versions = [own / "00.png", *(own / f"{at:02d}.jpg" for at in range(1, len(EDITS) + 1))]
        versions[-1] = versions[-1].with_suffix(".png")  # screenshots are
        paths += versions
        if own.is_dir():
            continue
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        own.mkdir(parents=True)
        picture.save(versions[0])
        for (name, edit), target in zip(EDITS.items(), versions[1:], strict=True):
            edit(picture, Random(f"{number} {name}")).save(target, quality=QUALITY)
    return paths


def held_out(pictures: Sequence[Path]) -> npt.NDArray[np.bool_]:
    """Return which pictures are held out: every other one of a folder, (n,)."""
    seen: dict[Path, int] = {}
    flags = []
    for path in pictures:
        flags.append(seen.setdefault(path.parent, 0) % 2 == 1)
        seen[path.parent] += 1
    return np.array(flags)


def index_scores(index: Path, paths: Sequence[Path]) -> tuple[Scores, Scores, Scores]:
    """Return the cosines of all pairs, the share of parts that agree, and which are near."""
    with vecsearch.open_index(index) as asked:
        opened = asked.reader()
        ranked = rank_images(opened)
        images = opened.snapshot.images_by_row(ranked.rows.tolist())
        rank_of = {images[row].path: rank for rank, row in enumerate(ranked.rows.tolist())}
        ranks = np.array([rank_of[path] for path in paths], np.int32)
        rows = RankedVectors(opened, ranked)
        pictures = ScaledPictures(opened, ranked)
        pictures.read(ranks)
        vectors = rows.of(ranks)
        small = as_unit_vectors(pictures.small[ranks].astype(np.float32))
        cosines = copy_cosines(asked.encoder)
        verifier = Verifier(pictures, rows, cosines.alone)
        versions = len(EDITS) + 1
        alike = _pairs(vectors)
        shares, near = np.zeros_like(alike), np.zeros_like(alike)
        places = np.argwhere((alike >= cosines.candidate) | (_pairs(small) >= 0.85))
        first = ranks[places[:, 0] * versions]
        second = ranks[places[:, 1] * versions + places[:, 2]]
        other = first != second
        found = verifier.verify(np.stack([first[other], second[other]], axis=1))
        at = tuple(places[other].T)
        shares[at], near[at] = found.shares, found.kinds == NEAR
    print(f"{len(places):,} of {alike.size:,} pairs were looked at", flush=True)
    return alike, shares, near


def _pairs(vectors: npt.NDArray[np.float32]) -> Scores:
    versions = vectors.reshape(-1, len(EDITS) + 1, vectors.shape[1])
    products: Scores = np.einsum("id,jed->ije", versions[:, 0], versions, optimize=True)
    return products


def hash_scores(python: str, paths: Sequence[Path]) -> dict[str, Scores]:
    """Return the negative distances of the hashes that *python* can compute."""
    program = Path(__file__).with_name("copies_peers.py")
    names = "\n".join(map(str, paths))
    command = [python, str(program)]
    done = subprocess.run(command, input=names, capture_output=True, text=True, check=True)
    sys.stderr.write(done.stderr[-2000:])
    made = {}
    for name, hashes in json.loads(done.stdout).items():
        bits = np.array([int(one, 16) for one in hashes], np.uint64).reshape(-1, len(EDITS) + 1)
        made[name] = -np.bitwise_count(bits[:, :1, None] ^ bits[None]).astype(np.float64)
    return made


def found_by(scores: Scores, some: npt.NDArray[np.bool_], threshold: float | None) -> Found:
    """Say what *threshold* finds among *some* pictures; None is for the best one."""
    true, false = _split(scores, some)
    if threshold is None:
        everything = np.concatenate([true.ravel(), false])
        order = np.argsort(-everything, kind="stable")
        values = everything[order]
        hits = np.cumsum(order < true.size)
        ends = np.append(values[1:] != values[:-1], True)
        precise = ends & (hits / np.arange(1, len(order) + 1) >= PRECISION)
        threshold = float(values[np.flatnonzero(precise)[-1]]) if precise.any() else np.inf
    hits, misses = (true >= threshold).sum(), (false >= threshold).sum()
    return Found(
        threshold,
        hits / true.size,
        hits / max(hits + misses, 1),
        (true >= threshold).mean(axis=0).tolist(),
    )


def _split(scores: Scores, some: npt.NDArray[np.bool_]) -> tuple[Scores, Scores]:
    """Return the scores of true pairs, (n, edits), and of all false ones."""
    chosen = scores[np.ix_(some, some)]
    same = np.eye(len(chosen), dtype=np.bool_)
    upper = np.triu(np.ones_like(same), 1)
    return chosen[same][:, 1:], np.concatenate([chosen[~same][:, 1:].ravel(), chosen[upper][:, 0]])


def report_groups(index: Path, pictures: int) -> str:
    """Run `vecsearch.duplicates` over all versions and say what the groups consist of."""
    report = vecsearch.duplicates(index)
    true = [
        one.path.parent == group.kept.path.parent for group in report.groups for one in group.others
    ]
    wrong_near = sum(
        one.kind == "near" and one.path.parent != group.kept.path.parent
        for group in report.groups
        for one in group.others
    )
    all_copies = pictures * len(EDITS)
    return (
        f"vecsearch duplicates: {report.copies:,} copies in {len(report.groups):,} groups, "
        f"{sum(true) / max(len(true), 1):.4f} of them of the kept picture's source, "
        f"{sum(true) / all_copies:.4f} of all that there are; {report.near:,} near, of which "
        f"{wrong_near} wrong; {report.looked_at:,} pictures read, {report.pairs:,} pairs compared"
    )


def main() -> None:
    """Edit, index, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--weights")
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--work", type=Path, metavar="DIR")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (given.work or Path(temporary)).resolve()
        pictures = list_pictures(given.folders)
        paths = make_versions(pictures, work / "versions")
        encoder = EncoderConfig(model=given.model, weights=given.weights)
        built = vecsearch.build(
            work / "versions", index=work / f"index-{given.model}", encoder=encoder
        )
        held = held_out(pictures)
        print(f"{len(pictures)} pictures, {held.sum()} held out; {built.encoder.title}", flush=True)
        cosines, shares, near = index_scores(built.index, paths)
        print_table(cosines, shares, near, hash_scores(given.peers, paths), held)
        print(report_groups(built.index, len(pictures)))


def print_table(
    cosines: Scores,
    shares: Scores,
    near: Scores,
    hashes: dict[str, Scores],
    held: npt.NDArray[np.bool_],
) -> None:
    """Print what each way finds of the pictures that are held out."""
    print(f"{'':<22}{'at':>8}{'precise':>9}{'found':>7}  " + "  ".join(EDITS))
    for name, scores in (("cosine", cosines), *hashes.items()):
        threshold = found_by(scores, ~held, None).threshold
        _print_line(f"{name}, chosen", found_by(scores, held, threshold))
    for threshold in (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        _print_line("cosine", found_by(cosines, held, threshold))
    pixels = np.maximum(shares, near)
    _print_line("pixels, chosen", found_by(pixels, held, found_by(pixels, ~held, None).threshold))
    for threshold in (0.3, 0.35, 0.4, 0.45, COPY_SHARE, 0.55, 0.6, 0.7, 0.8):
        _print_line("pixels", found_by(pixels, held, threshold))
    _print_line("pixels, near alone", found_by(near, held, 1.0))


def _print_line(name: str, found: Found) -> None:
    shares = "  ".join(
        f"{100 * share:{len(edit)}.0f}" for edit, share in zip(EDITS, found.by_edit, strict=True)
    )
    figures = f"{found.threshold:8.3f}{found.precision:9.4f}{found.recall:7.3f}"
    print(f"{name:<22}{figures}  {shares}", flush=True)


if __name__ == "__main__":
    main()

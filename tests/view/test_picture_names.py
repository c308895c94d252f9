"""What pictures are called beside each other on sheets and pages."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vecsearch.view.picture_names import picture_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/p/cougar/image_0013.jpg"], ["cougar/image_0013.jpg"]),
        (["/p/db/burger1.jpg", "/p/db/burger2.jpg"], ["burger1.jpg", "burger2.jpg"]),
        (["/p/db/burger1.jpg", "/p/q/burger2.jpg"], ["db/burger1.jpg", "q/burger2.jpg"]),
        (
            ["/p/cougar/image_0013.jpg", "/p/panda/image_0002.jpg", "/p/flower.png"],
            ["cougar/image_0013.jpg", "panda/image_0002.jpg", "flower.png"],
        ),
        (["/p/rome/IMG_1.jpg", "/p/rome/IMG_2.jpg"], ["rome/IMG_1.jpg", "rome/IMG_2.jpg"]),
        (["/p/rome/00017.jpg", "IMG_1.jpg", "/2.jpg"], ["rome/00017.jpg", "IMG_1.jpg", "2.jpg"]),
        (["/p/rome/DSC1.jpg", "/p/oslo/dsc2.JPG"], ["rome/DSC1.jpg", "oslo/dsc2.JPG"]),
        (["/p/rome/beach.jpg", "/p/oslo/harbour.jpg"], ["beach.jpg", "harbour.jpg"]),
        (["/p/rome/beach.jpg", "/p/oslo/beach.jpg"], ["rome/beach.jpg", "oslo/beach.jpg"]),
        (["/21/jpg/a.jpg", "/22/jpg/a.jpg"], ["21/jpg/a.jpg", "22/jpg/a.jpg"]),
        (["/n02/n02_17.jpg", "/n03/n03_2.jpg"], ["n02_17.jpg", "n03_2.jpg"]),
        (["a/1.jpg", "b/a/1.jpg", "1.jpg"], ["a/1.jpg", "b/a/1.jpg", "1.jpg"]),
        (["s3://b/x/1.jpg", "s3://b/y/1.jpg"], ["x/1.jpg", "y/1.jpg"]),
        (["/x/0a1b2c3d4e.jpg", "/y/ffeeddcc0.jpg"], ["x/0a1b2c3d4e.jpg", "y/ffeeddcc0.jpg"]),
        (["/x/.jpg", "/y/.jpg", "/"], ["x/.jpg", "y/.jpg", "/"]),
    ],
)  # fmt: skip
def test_names_have_as_much_of_the_folder_as_tells_them_apart(
    paths: list[str], names: list[str]
) -> None:
    assert list(picture_names(map(Path, paths)).values()) == names


def test_no_two_pictures_have_one_name() -> None:
    chance = random.Random(0)
    for _ in range(300):
        parts = [
            [chance.choice(["a", "b", "a1", "B"]) for _ in range(chance.randint(1, 4))]
            for _ in range(12)
        ]
        roots = (chance.choice(["/", ""]) for _ in parts)
        paths = {Path(root + "/".join(one)) for root, one in zip(roots, parts, strict=True)}
        names = picture_names(paths)
        assert set(names) == paths
        assert len(set(names.values())) == len(paths)
        assert all(str(path).endswith(name) for path, name in names.items())

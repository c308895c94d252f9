"""Photographs to measure on: seeded crops of the two that scikit-learn ships.

python benchmarks/photographs.py FOLDER COUNT WIDTH HEIGHT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance


def make_photographs(folder: Path, count: int, size: tuple[int, int], quality: int = 90) -> Path:
    """Save *count* JPEGs of *size* (width, height) pixels, no two alike; return *folder*."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    folder.mkdir(parents=True)
    for number in range(count):
        generator = np.random.RandomState(number)
        source = photographs[number % len(photographs)]
        width = generator.randint(source.width // 2, source.width + 1)
        height = min(source.height, round(width * size[1] / size[0]))
        left = generator.randint(0, source.width - width + 1)
        top = generator.randint(0, source.height - height + 1)
        crop = source.crop((left, top, left + width, top + height))
        if number % 4 > 1:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crop = ImageEnhance.Color(crop).enhance(generator.uniform(0.4, 1.6))
        crop = ImageEnhance.Brightness(crop).enhance(generator.uniform(0.7, 1.3))
        picture = crop.resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"photo{number:05d}.jpg", quality=quality)
    return folder


if __name__ == "__main__":
    make_photographs(Path(sys.argv[1]), int(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4])))

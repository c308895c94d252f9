"""How far apart two colours look, to most people and to those who see two primaries only."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Colours = npt.NDArray[np.float64]
"""(n, 3) float64."""

SIMULATED: Final = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Linear sRGB as each sees it, at full severity.

Source: Machado, Oliveira & Fernandes, A physiologically-based model for simulation of color vision
deficiency, IEEE TVCG 15, 2009.
"""

_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE: Final = (0.95047, 1.0, 1.08883)  # D65


def parse(colour: str) -> tuple[int, int, int]:
    """Return the values of a colour as pages write it, ``#rrggbb``."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def luminance(colour: tuple[int, int, int]) -> float:
    """Return the relative luminance, 0 to 1, that contrasts are computed from (WCAG 2)."""
    return float(_linear(np.array([colour], np.float64) / 255)[0] @ np.array(_XYZ[1]))


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def differences(colours: list[tuple[int, int, int]]) -> npt.NDArray[np.float64]:
    """Return how far apart each two look to whom they look most alike: (n, n) of CIEDE2000.

    Source: Sharma, Wu & Dalal, The CIEDE2000 color-difference formula, 2005. Of 1 it is just seen.
    """
    linear = _linear(np.array(colours, np.float64).reshape(-1, 3) / 255)
    seen = [linear, *(np.clip(linear @ np.array(m).T, 0, 1) for m in SIMULATED.values())]
    apart = [ciede2000(lab[:, np.newaxis], lab[np.newaxis]) for lab in map(_lab, seen)]
    least: npt.NDArray[np.float64] = np.min(apart, axis=0)
    return least


def ciede2000(one: Colours, other: Colours) -> npt.NDArray[np.float64]:
    """Return the CIEDE2000 difference of colours in CIELAB, (..., 3) each."""
    L1, a1, b1 = np.moveaxis(one, -1, 0)  # noqa: N806 - the literature's names
    L2, a2, b2 = np.moveaxis(other, -1, 0)  # noqa: N806
    mean_7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    grown = 1.5 - 0.5 * np.sqrt(mean_7 / (mean_7 + 25.0**7))
    C1, C2 = np.hypot(a1 * grown, b1), np.hypot(a2 * grown, b2)  # noqa: N806
    h1 = np.degrees(np.arctan2(b1, a1 * grown)) % 360
    h2 = np.degrees(np.arctan2(b2, a2 * grown)) % 360
    grey = C1 * C2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(turn / 2))  # noqa: N806
    h = np.where(grey, h1 + h2, (h1 + turn / 2) % 360)
    L, C = (L1 + L2) / 2, (C1 + C2) / 2  # noqa: N806
    T = (  # noqa: N806
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    lightness = (L2 - L1) / (1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2))
    chroma = (C2 - C1) / (1 + 0.045 * C)
    hue = dH / (1 + 0.015 * C * T)
    angle = np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))
    together = -np.sin(angle) * 2 * np.sqrt(C**7 / (C**7 + 25.0**7))
    squares = lightness**2 + chroma**2 + hue**2 + together * chroma * hue
    result: npt.NDArray[np.float64] = np.sqrt(np.maximum(squares, 0))
    return result


def _linear(values: Colours) -> Colours:
    result: Colours = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return result


def _lab(linear: Colours) -> Colours:
    xyz = linear @ np.array(_XYZ).T / np.array(_WHITE)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)

"""The colours of groups: twelve that are told apart, and dark enough for white letters."""

from __future__ import annotations

from typing import Final

GROUPS: Final = (
    "#2563eb", "#d9480f", "#16803c", "#9333ea", "#b45309", "#0e7490",
    "#be185d", "#4d7c0f", "#7c2d12", "#475569", "#0f766e", "#a21caf",
)  # fmt: skip
"""By the number of the group, the largest first."""

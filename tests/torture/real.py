"""Kills of builds with the real network, each in a process of its own."""

from __future__ import annotations

from pathlib import Path


def run(times: int, seed: int, folder: Path) -> list[str]:
    return []

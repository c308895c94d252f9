"""How a map's page does in Chromium: weight, time to the first picture, frames while it moves.

    python benchmarks/page.py MAP.html

without a graphics processor, unless the machine has one that headless Chromium takes.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

_ROUNDS: Final = 5
_SECONDS: Final = 4.0
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

# Runs before the page's own program.
_WATCH: Final = """
window.times = {};
const first = (name) => { window.times[name] ??= performance.now(); };
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
  if (image instanceof ImageBitmap) first("picture");
  return draw.call(this, image, ...rest);
};
new MutationObserver(() => document.getElementById("map") && first("map"))
  .observe(document, { childList: true, subtree: true });
"""
_COUNT: Final = """
(() => {
  const started = "ticks" in window;
  window.ticks = [];
  const tick = (now) => { window.ticks.push(now); requestAnimationFrame(tick); };
  if (!started) requestAnimationFrame(tick);
})()
"""


def open_page(page: Page, path: Path) -> tuple[float, float, float]:
    """Load the page; give the ms to its canvas, to the first thumbnail, and to the last sheet."""
    page.goto(path.as_uri(), wait_until="commit")
    complete = "document.readyState === 'complete' && Sprites.sheets.length > 0 && " \
        "[...Sprites.sheets].every(Boolean)"  # fmt: skip
    while not page.evaluate(f"typeof Sprites !== 'undefined' && {complete}"):
        time.sleep(0.01)
    last = page.evaluate("performance.now()")
    times = page.evaluate("window.times")
    return times["map"], times["picture"], last


def frames(page: Page, move: str) -> tuple[float, float]:
    """Return frames a second, and the 95th percentile of their distance in ms, while it moves."""
    page.mouse.move(640, 400)
    if move == "pan":
        page.mouse.down()
    page.evaluate(_COUNT)
    start, step = time.perf_counter(), 0
    while time.perf_counter() - start < _SECONDS:
        step += 1
        if move == "pan":
            sway = step % 240
            page.mouse.move(640 + 3 * (min(sway, 240 - sway) - 60), 400 + sway % 40)
        else:
            page.mouse.wheel(0, -40 if step % 120 < 60 else 40)
    ticks = page.evaluate("window.ticks")
    if move == "pan":
        page.mouse.up()
    apart = [b - a for a, b in pairwise(ticks)]
    return 1000 * len(apart) / sum(apart), statistics.quantiles(apart, n=20)[-1]


def main(path: Path) -> None:
    """Measure and print."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    print(f"{path.stat().st_size / 1e6:.1f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rows = []
        for _ in range(_ROUNDS):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(_WATCH)
            loaded = open_page(page, path)
            fitted = frames(page, "pan")
            zooming = frames(page, "zoom")
            page.evaluate("zoom(4)")
            near = frames(page, "pan")
            rows.append((*loaded, *fitted, *zooming, *near))
            page.close()
        browser.close()
    what = (
        "ms to the canvas", "ms to the first thumbnail", "ms to all thumbnails",
        "frames/s, panning the whole", "ms between them, p95",
        "frames/s, zooming", "ms between them, p95",
        "frames/s, panning close up", "ms between them, p95",
    )  # fmt: skip
    for name, column in zip(what, zip(*rows, strict=True), strict=True):
        low, high = min(column), max(column)
        print(f"{name}: {statistics.median(column):.0f} ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A scene as a PDF page, by matplotlib; import this only to write one: it takes half a second."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import groupby
from typing import IO, Final

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import BoxStyle
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D, IdentityTransform, TransformedPath

from vecsearch.types import Pixels
from vecsearch.view import fonts
from vecsearch.view.scene import Colour, Picture, Rectangle, Scene, Text
from vecsearch.view.typeset import Run, clusters, draw_emoji, measure, runs

POINTS: Final = 0.5
"""Points a pixel: 144 pixels are an inch."""

_BOX: Final = 0.7
"""How much smaller the boxes for unknown characters are to be, so that they are as wide as those
of the font."""

# That its folder for caches cannot be written, and the like, is no news to who draws a sheet.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())


def write_pdf(scene: Scene, file: IO[bytes]) -> None:
    """Write *scene* as a PDF of one page: text as text with its fonts, each image once."""
    size = (scene.width * POINTS / 72, scene.height * POINTS / 72)
    metadata = {"Title": scene.title, "Creator": "vecsearch", "CreationDate": None}
    with mpl.rc_context():
        mpl.rcdefaults()  # a user's settings are for plots
        figure = Figure(figsize=size, facecolor=_share(scene.ground))
        figure.add_artist(_Drawing(scene))
        FigureCanvasPdf(figure).print_pdf(file, metadata=metadata)  # type: ignore[no-untyped-call]


class _Drawing(Artist):
    """Draws through matplotlib's renderer, whose y goes up."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self._pixels: dict[int, Pixels] = {}

    def draw(self, renderer: RendererBase) -> None:
        for item in self._scene.items:
            pen = renderer.new_gc()
            pen.set_linewidth(0)
            if isinstance(item, Rectangle):
                outline = self._outline(item)
                renderer.draw_path(pen, outline, IdentityTransform(), _share(item.fill))
            elif isinstance(item, Picture):
                self._draw_picture(renderer, pen, item)
            else:
                self._draw_text(renderer, pen, item)
            pen.restore()

    def _draw_picture(
        self, renderer: RendererBase, pen: GraphicsContextBase, item: Picture
    ) -> None:
        pen.set_clip_path(TransformedPath(self._outline(item.within), IdentityTransform()))
        # The same array again is written once.
        pixels = self._pixels.setdefault(id(item.image), np.asarray(item.image)[::-1])
        extent = Affine2D().scale(item.width * POINTS, item.height * POINTS)
        corner = (item.x * POINTS, self._up(item.y + item.height))
        renderer.draw_image(pen, *corner, pixels, extent)

    def _draw_text(self, renderer: RendererBase, pen: GraphicsContextBase, item: Text) -> None:
        if not item.text:
            return
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor]
        left = item.x - share * measure(item.text, item.font)
        pen.set_foreground(_share(item.fill))
        for run in runs(item.text, item.font):
            if run.scale == 1.0:
                self._draw_run(renderer, pen, run, left + run.x, item.y)
            else:
                self._draw_emoji(renderer, pen, run, left + run.x, item.y)

    def _draw_run(
        self, renderer: RendererBase, pen: GraphicsContextBase, run: Run, x: float, y: float
    ) -> None:
        """Draw text; what the font lacks matplotlib draws as boxes, which are made to fit."""
        whole = run.leftward or fonts.covers(run.font, run.text)
        parts = [run.text] if whole else clusters(run.text)
        for known, some in groupby(parts, lambda part: whole or fonts.covers(run.font, part)):
            text = "".join(some)
            font = FontProperties(size=run.font.size * POINTS * (1.0 if known else _BOX))
            font.set_file(fonts.file_of(run.font))
            renderer.draw_text(pen, x * POINTS, self._up(y), text, font, 0)
            x += measure(text, run.font)

    def _draw_emoji(
        self, renderer: RendererBase, pen: GraphicsContextBase, run: Run, x: float, y: float
    ) -> None:
        # As fine as the font has them: paper shows more than a screen.
        image, above = draw_emoji(replace(run, scale=1.0))
        extent = Affine2D().scale(
            image.width * run.scale * POINTS, image.height * run.scale * POINTS
        )
        down = y + (image.height - above) * run.scale
        renderer.draw_image(pen, x * POINTS, self._up(down), np.asarray(image)[::-1], extent)

    def _outline(self, item: Rectangle) -> Outline:
        x, y = item.x * POINTS, self._up(item.y + item.height)
        style = BoxStyle.Round(pad=0, rounding_size=item.radius * POINTS)
        outline: Outline = style(x, y, item.width * POINTS, item.height * POINTS, 1.0)
        return outline

    def _up(self, y: float) -> float:
        return (self._scene.height - y) * POINTS


def _share(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255

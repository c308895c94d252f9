"""A scene as an SVG document."""

from __future__ import annotations

import base64
import io
from collections import Counter
from pathlib import Path
from typing import IO, Final
from xml.etree import ElementTree as ET

from PIL import Image

from vecsearch.images.drawing_mark import MARK
from vecsearch.view import fonts
from vecsearch.view.scene import Colour, Picture, Rectangle, Scene, Text
from vecsearch.view.typeset import goes_left, measure, runs

FAMILY: Final = "DejaVu Sans"
INSTEAD: Final = "Verdana, sans-serif"
"""Verdana is as wide; what neither has, the viewer looks for in its own fonts."""

_OPPOSITE: Final = {"start": "end", "middle": "middle", "end": "start"}


def write_svg(scene: Scene, file: IO[bytes], *, quality: int = 90) -> None:
    """Write *scene* as an SVG document that needs no other file.

    Text is text, as wide as in pixels, and the characters of DejaVu Sans come along as a font. Each
    image is there once, photographs as JPEG of *quality*.
    """
    size = {"width": str(scene.width), "height": str(scene.height)}
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",  # older viewers know no plain href
            **size,
            "viewBox": f"0 0 {scene.width} {scene.height}",
            "font-family": f"'{FAMILY}', {INSTEAD}",
        },
    )
    ET.SubElement(root, "title").text = scene.title
    ET.SubElement(root, "metadata").text = MARK
    ET.SubElement(root, "style").text = _font_faces(scene)
    definitions = ET.SubElement(root, "defs")
    ET.SubElement(root, "rect", {**size, "fill": _hex(scene.ground)})
    images: dict[int, str] = {}
    uses = Counter(id(item.image) for item in scene.items if isinstance(item, Picture))
    for item in scene.items:
        if isinstance(item, Rectangle):
            _add_rectangle(root, item)
        elif isinstance(item, Text):
            _add_text(root, item)
        elif uses[id(item.image)] == 1 and _is_whole(item):
            _add_plain(root, item, quality)
        else:
            _add_picture(root, definitions, item, images, quality)
    ET.indent(root)
    ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _add_rectangle(parent: ET.Element, item: Rectangle) -> None:
    place = {"x": item.x, "y": item.y, "width": item.width, "height": item.height}
    if item.radius:
        place["rx"] = item.radius
    attributes = {name: _number(value) for name, value in place.items()}
    ET.SubElement(parent, "rect", {**attributes, "fill": _hex(item.fill)})


def _add_text(parent: ET.Element, item: Text) -> None:
    attributes = {
        "x": _number(item.x),
        "y": _number(item.y),
        "font-size": _number(item.font.size),
        "fill": _hex(item.fill),
    }
    if fonts.is_bold(item.font):
        attributes["font-weight"] = "bold"
    attributes["text-anchor"] = item.anchor
    if goes_left(item.text):
        attributes["direction"] = "rtl"  # whose start is at the right
        attributes["text-anchor"] = _OPPOSITE[item.anchor]
    if item.text and all(run.font is item.font for run in runs(item.text, item.font)):
        attributes["textLength"] = _number(measure(item.text, item.font))
        attributes["lengthAdjust"] = "spacingAndGlyphs"
    ET.SubElement(parent, "text", attributes).text = item.text


def _is_whole(item: Picture) -> bool:
    """Return whether nothing is cut off a picture."""
    within = item.within
    return (
        not within.radius
        and (within.x, within.y) == (item.x, item.y)
        and (within.width, within.height) == (item.width, item.height)
    )


def _add_plain(parent: ET.Element, item: Picture, quality: int) -> None:
    place = {"x": item.x, "y": item.y, "width": item.width, "height": item.height}
    attributes = {name: _number(value) for name, value in place.items()}
    attributes["preserveAspectRatio"] = "none"
    ET.SubElement(parent, "image", {**attributes, "xlink:href": _data_url(item.image, quality)})


def _add_picture(
    parent: ET.Element,
    definitions: ET.Element,
    item: Picture,
    images: dict[int, str],
    quality: int,
) -> None:
    width, height = item.image.size
    name = images.get(id(item.image))
    if name is None:
        name = images[id(item.image)] = f"p{len(images) + 1}"
        attributes = {"id": name, "width": str(width), "height": str(height)}
        attributes["preserveAspectRatio"] = "none"
        ET.SubElement(
            definitions, "image", {**attributes, "xlink:href": _data_url(item.image, quality)}
        )
    clip = f"c{len(definitions)}"
    _add_rectangle(ET.SubElement(definitions, "clipPath", {"id": clip}), item.within)
    group = ET.SubElement(parent, "g", {"clip-path": f"url(#{clip})"})
    place = f"translate({_number(item.x)} {_number(item.y)})"
    scale = f"scale({_number(item.width / width)} {_number(item.height / height)})"
    ET.SubElement(group, "use", {"xlink:href": f"#{name}", "transform": f"{place} {scale}"})


def _font_faces(scene: Scene) -> str:
    """Return the characters that are drawn, as fonts for this document.

    Only of DejaVu Sans, which may be passed on: fonts of the system may not.
    """
    faces = []
    for bold in (False, True):
        text = "".join(
            item.text
            for item in scene.items
            if isinstance(item, Text) and fonts.is_bold(item.font) == bold
        )
        font = fonts.load(16, bold)
        path = fonts.file_of(font)
        if text and path is not None and font.getname()[0] == FAMILY:
            data = base64.b64encode(_subset(path, text)).decode()
            faces.append(
                f"@font-face{{font-family:'{FAMILY}';font-weight:{'bold' if bold else 'normal'};"
                f"src:url(data:font/woff;base64,{data})}}"
            )
    return "".join(faces)


def _subset(path: Path, text: str) -> bytes:
    from fontTools import subset

    options = subset.Options(flavor="woff", hinting=False, notdef_outline=True)
    options.drop_tables += ["FFTM"]  # when it was made
    out = io.BytesIO()
    with subset.load_font(path, options) as font:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=text)
        subsetter.subset(font)
        subset.save_font(font, out, options)
    return out.getvalue()


def _data_url(image: Image.Image, quality: int) -> str:
    out = io.BytesIO()
    if image.getcolors(256):  # a drawing
        kind = "png"
        image.save(out, "PNG")
    else:
        kind = "jpeg"
        image.save(out, "JPEG", quality=quality, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")

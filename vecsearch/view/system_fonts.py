"""The fonts of this system: which there are, and which of them draws a character."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

USUAL: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "malgun.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "Nirmala.ttc",
    "NotoSansThai-Regular.ttf",
    "Loma.ttf",
    "Thonburi.ttc",
    "LeelawUI.ttf",
    "DejaVuSans.ttf",
)
"""Usual fonts of Linux, macOS and Windows for what DejaVu Sans lacks; any other is tried then."""

EMOJI: Final = (
    "NotoColorEmoji.ttf",
    "NotoColorEmoji-Regular.ttf",
    "Apple Color Emoji.ttc",
    "seguiemj.ttf",
)

_EMOJI_SIZES: Final = (109, 160, 128, 136)
"""Of fonts made of pictures, which have one size or few."""

_OTHER_STYLES: Final = (
    "bold", "italic", "oblique", "light", "thin", "black", "mono", "serif", "medium", "heavy",
    "condensed", "lastresort", "emoji",
)  # fmt: skip
_MOST_TRIED: Final = 400
_NO_CHARACTER: Final = "\U0010ffff"  # can stand in no text, so every font draws its "missing" sign

_CJK: Final = ("CJK ", "HIRAGANA ", "KATAKANA ", "HANGUL ", "IDEOGRAPHIC ", "FULLWIDTH ",
               "HALFWIDTH ", "BOPOMOFO ")  # fmt: skip

_lacking: dict[str, str] = {}


def font_for(character: str, size: int) -> Font | None:
    """Return the font of this system that draws *character*, None and a note where none does."""
    for file in _tried_for():
        font = _opened(file, size)
        if font is not None and has(font, character):
            return font
    # Private and unassigned characters are in no font that one could install.
    if unicodedata.category(character) not in ("Co", "Cn", "Cs", "Cc", "Cf"):
        _lacking.setdefault(character, _package(character))
    return None


@lru_cache(maxsize=1)
def emoji_font() -> Font | None:
    """Return the font of coloured emoji, in a size that it has; None where there is none."""
    known = _files()
    for name in EMOJI:
        for size in _EMOJI_SIZES if name in known else ():
            try:
                return ImageFont.truetype(known[name], size)
            except OSError:
                continue
    return None


def note_lacking_emoji(character: str) -> None:
    """Take down that *character* is drawn without colours, or not at all."""
    _lacking.setdefault(character, "fonts-noto-color-emoji")


def lacking_fonts() -> Mapping[str, str]:
    """Return the characters that no font here draws, and the Debian package that has each."""
    return dict(_lacking)


@lru_cache(maxsize=4096)
def has(font: Font, character: str) -> bool:
    """Return whether *font* has *character*."""
    mask = font.getmask(character)
    # Fonts of pictures draw nothing for what they lack.
    return bytes(mask) != _box(font) and (min(mask.size) > 0 or character.isspace())


@lru_cache(maxsize=64)
def _box(font: Font) -> bytes:
    return bytes(font.getmask(_NO_CHARACTER))


@lru_cache(maxsize=256)
def _opened(file: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(file, size)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _tried_for() -> tuple[str, ...]:
    known = dict(_files())
    usual = [known.pop(name) for name in USUAL if name in known]
    others = (
        file
        for name, file in sorted(known.items())
        if not any(style in name.lower() for style in _OTHER_STYLES)
    )
    return (*usual, *list(others)[:_MOST_TRIED])


@lru_cache(maxsize=1)
def _files() -> Mapping[str, str]:
    """Return the font files of this system by their names."""
    found: dict[str, str] = {}
    for folder in _folders():
        for path, _, names in os.walk(folder):
            for name in names:
                if name.lower().endswith((".ttf", ".otf", ".ttc")):
                    found.setdefault(name, str(Path(path, name)))
    return found


def _folders() -> Iterator[Path]:
    environment = os.environ
    if sys.platform == "win32":
        yield Path(environment.get("WINDIR", r"C:\Windows"), "Fonts")
        yield Path(environment.get("LOCALAPPDATA", ""), "Microsoft", "Windows", "Fonts")
        return
    home = Path.home()
    if sys.platform == "darwin":
        for root in ("/", "/System", home):
            yield Path(root, "Library/Fonts")
        return
    # https://specifications.freedesktop.org/basedir-spec: set but empty is not set
    own = environment.get("XDG_DATA_HOME") or str(home / ".local/share")
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    yield home / ".fonts"
    yield from (Path(one, "fonts") for one in (own, *shared.split(":")) if one)


def _package(character: str) -> str:
    name = unicodedata.name(character, "")
    return "fonts-noto-cjk" if name.startswith(_CJK) else "fonts-noto-core"

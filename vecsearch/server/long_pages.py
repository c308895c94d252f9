"""The pages whose data take long to make: they say how far it is, and begin when it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vecsearch.view.document import Shell
from vecsearch.view.gallery import DECISION_SCRIPTS
from vecsearch.view.page import MAP_SCRIPTS

SHARED: Final = "view/"
"""The address below which are the files that pages share which are written without a server."""

_LOADER: Final = "map_and_duplicates"
_ICON: Final = "icon.svg"

LONG_PAGES: Final[Mapping[str, Shell]] = {
    "map.html": Shell(
        kind="map",
        title="Map",
        scripts=("sprites", *MAP_SCRIPTS),
        further=("map_sheets.js",),
        loader=f"{_LOADER}.js",
        styles=(f"{_LOADER}.css",),
        source="map/page",
        below=SHARED,
        icon=_ICON,
    ),
    "duplicates.html": Shell(
        kind="gallery",
        title="Duplicates",
        scripts=("thumbnails", *DECISION_SCRIPTS),
        further=("duplicates_export.js",),
        loader=f"{_LOADER}.js",
        styles=(f"{_LOADER}.css",),
        source="duplicates/page",
        below=SHARED,
        icon=_ICON,
    ),
}

"""How the documentation is built: ``make docs``, without a network."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

project = "vecsearch"
copyright = "the vecsearch authors"  # noqa: A001 - Sphinx's name
release = version = installed("vecsearch")

extensions = ["myst_parser", "sphinx.ext.autodoc", "command_reference", "error_tree", "type_names"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.header"]  # the changelog begins at its second level

html_theme = "furo"
html_title = "vecsearch"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b6e4f",
        "color-brand-content": "#0b6e4f",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6fd3ae",
        "color-brand-content": "#6fd3ae",
    },
}
pygments_style = "friendly"
pygments_dark_style = "monokai"

default_role = "literal"
smartquotes = False  # it would turn the dashes of options into one
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "inherited-members": False}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
python_display_short_literal_types = True

nitpicky = True
nitpick_ignore_regex = [
    # There is no network at build time for the inventories of Python and of other packages.
    (r"py:.*", r"(collections|datetime|numpy|np|npt|pathlib|os|typing|PIL|types)(\..*)?|Path"),
    (r"py:.*", r"tuple\[.*"),  # how a tuple in a field of a record is read
    (
        r"py:.*",
        r"(vecsearch\..*\.)?(Box|Vectors|Features|IndexReader|Words)",
    ),
]

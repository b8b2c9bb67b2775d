"""Settings of the documentation: `make docs`."""

from importlib.metadata import version as installed_version

project = "latentbloom"
author = "The latentbloom authors"
copyright = "2026, The latentbloom authors"
release = version = installed_version("latentbloom")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "latentbloom"

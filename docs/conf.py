"""How `make docs` builds these pages: Sphinx reads the Markdown by MyST and dresses it with Furo.

Belongs here: settings of the site. It is built without a network and read without one: search, fonts and pictures are
files of the site. Warnings are errors; so a link that leads nowhere and a page that nothing leads to stop the build.
"""

import logging

import nibabel
import torch

from lake.voxels import views

# names that `views` knows only while types are checked; signatures are read while the pages are built
views.Tensor, views.Nifti1Image = torch.Tensor, nibabel.Nifti1Image

# a style of code listings that Furo brings turns every library's messages on
logging.getLogger("numexpr").setLevel(logging.WARNING)

project = "Larmor"
html_title = "Larmor"
author = "The Larmor contributors"
project_copyright = "The Larmor contributors, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["examples/**"]

# links to headings as GitHub has them, so that the pages read the same there
myst_heading_anchors = 3
# pages of measurements are written by the benchmarks, a heading of the third level a table
suppress_warnings = ["myst.header"]

# the reference of Python is read from docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
# our docstrings mark code as Markdown does
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["larmor.css"]
html_copy_source = False
html_show_sphinx = False
# the summaries below what a search finds are fetched, which a browser refuses to pages that are files
html_show_search_summary = False
# Furo draws its icons itself and asks no one for fonts; the accent keeps 4.5:1 on both grounds (WCAG 2.2, 1.4.3)
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5c6b", "color-brand-content": "#0b5c6b"},
    "dark_css_variables": {"color-brand-primary": "#7fd0de", "color-brand-content": "#7fd0de"},
}

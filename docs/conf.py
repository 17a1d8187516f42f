"""Settings of the documentation. `make docs` builds it; so does `sphinx-build docs build/docs/html`.

LIKEWISE_DOCS_EXECUTE=1 runs the notebooks again instead of showing the outputs that are committed.
"""

import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "_ext"))

import likewise  # noqa: E402

project = "likewise"
author = "likewise contributors"
copyright = "likewise contributors, MIT license"
version = release = likewise.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_design",
    "sphinx_copybutton",
    "breathe",
    # of this folder
    "copied_pages",
    "cpp_api",
    "equivalents",
    "measured",
    "paper_study",
    "plain_docstrings",
    "python_api",
    "side_by_side",
    "statements",
]
exclude_patterns = ["package.md", "_ext", "**.ipynb_checkpoints"]
root_doc = "index"
smartquotes = False
highlight_language = "none"  # formulas in docstrings; code says its language

# --- MyST and notebooks ------------------------------------------------------------------------------------

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # copied_pages runs them where they lie, if they are to be run
nb_merge_streams = True
nb_ipywidgets_js = {}  # they would come from another host; a notebook shows its widgets' text here

# --- Python ------------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "none"
maximum_signature_line_length = 80
add_module_names = False
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True

# --- C++ ---------------------------------------------------------------------------------------------------

breathe_projects = {"likewise": str(DOCS.parent / "build" / "docs" / "doxygen" / "xml")}
breathe_default_project = "likewise"
breathe_show_include = False
cpp_index_common_prefix = ["likewise::", "likewise::nn::"]
cpp_maximum_signature_line_length = 80

# --- HTML --------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "likewise"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_domain_indices = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "likewise"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "idea": []}
templates_path = []
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# MathJax with its fonts, from the package sphinx-mathjax-offline: formulas need no other host.
MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}


def copy_mathjax(app, error):
    """Into _static of the site, once it is built."""
    from sphinx.util.fileutil import copy_asset

    if error is None and app.builder.format == "html":
        copy_asset(str(MATHJAX), str(Path(app.outdir) / "_static" / "mathjax"))


def setup(app):
    app.connect("build-finished", copy_mathjax)

"""The site's settings for Sphinx; `build.py` calls it on a folder that it has put together.

Plain Sphinx with MyST-NB rather than Jupyter Book 1: that is the same two behind a second settings file, and the
package's reference and pages made by our own build need Sphinx's settings anyway.
"""

project = "flowlab"
author = "the flowlab authors"
project_copyright = "flowlab's authors; code MIT, notebooks public domain (CC0)"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Notebooks come executed; only the pages written as text run while the site is built.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["notebooks/*"]
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]  # a flow also comes as mermaid, for those who can draw that
nb_ipywidgets_js = {}  # pages load nothing from elsewhere
myst_enable_extensions = ["deflist", "attrs_inline"]
myst_heading_anchors = 3

default_role = "code"  # docstrings write names as `name`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source"]

html_theme = "sphinx_book_theme"
html_title = "flowlab"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

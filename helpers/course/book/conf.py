"""Sphinx's configuration for the book: everything local, nothing executed. :mod:`helpers.course.site` writes what it reads."""

import json
import os

from pygments.lexers.special import TextLexer

project = html_title = "Fine-tuning vision language models"
author = "the course's contributors"
language = "en"
extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["sources"]  # kept to be downloaded

nb_execution_mode = "off"  # the notebooks have run
nb_output_stderr = "remove"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False  # mathjax_config.js has what it would set

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "navbar_persistent": [],  # the search field is at the side already
    "use_download_button": False,  # it would offer the page's source; each lesson links to its notebook
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    **json.loads(os.environ.get("COURSE_BUTTONS", "{}")),  # those that lead out of the book
}

# MathJax and its one font, from _static/mathjax, with the rules for what a screen reader says of a formula.
mathjax_path = "mathjax/tex-chtml.js"
mathjax_config_path = "mathjax_config.js"


def only_lessons_launch(app, pagename, templatename, context, doctree):
    """Exercises have no cell that fetches the course: on Colab their first cell would fail."""
    if not pagename.startswith("notebooks/"):
        buttons = context["header_buttons"]
        context["header_buttons"] = [button for button in buttons if button.get("label") != "launch-buttons"]


def setup(app):
    app.add_lexer("csv", TextLexer)
    app.connect("html-page-context", only_lessons_launch, priority=502)  # after the theme's own, which has 501

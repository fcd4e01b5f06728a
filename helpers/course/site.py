"""Render a run's executed lessons to HTML, with a front page of the plots and figures worth a look."""

import html
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers.course.results import read_results

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
figure { margin: 1rem 0; } img { max-width: 100%; } figcaption { color: #444; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write_report(folder: Path) -> Path:
    """``index.html`` and a page per executed lesson in ``folder``; the front page shows the cells tagged ``key-plot``."""
    results = read_results(folder / "results.json")
    sections = []
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        page, _ = HTMLExporter().from_notebook_node(notebook)
        path.with_suffix(".html").write_text(page, encoding="utf-8")
        sections.append(_section(path.stem, notebook, results["lessons"].get(path.stem, {})))
    facts = ", ".join(f"{name} {value}" for name, value in results["environment"].items())
    body = f"<h1>The course, as it ran here</h1><p>{html.escape(facts)}</p>{''.join(sections)}"
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The course, as it ran here</title><style>{_STYLE}</style>'
    )
    (folder / "index.html").write_text(f"{page}<body>{body}</body></html>", encoding="utf-8")
    return folder / "index.html"


def _section(name: str, notebook, figures: dict) -> str:
    title = next((cell.source.splitlines()[0].lstrip("# ") for cell in notebook.cells if cell.cell_type == "markdown"), name)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(key)}</th><td class="number">{_number(value)}</td></tr>'
        for key, value in figures.items()
    )
    pictures = "".join(_pictures(notebook))
    return f'<h2><a href="{name}.html">{html.escape(title)}</a></h2>{pictures}<table>{rows}</table>'


def _pictures(notebook):
    for cell in notebook.cells:
        if cell.cell_type != "code" or "key-plot" not in cell.metadata.get("tags", ()):
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = html.escape(output.metadata.get("image/png", {}).get("alt", ""))
                source = f"data:image/png;base64,{output.data['image/png'].strip()}"
                yield f'<figure><img alt="{alt}" src="{source}"><figcaption>{alt}</figcaption></figure>'


def _number(value) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else html.escape(str(value))

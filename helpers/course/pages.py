"""Executed notebooks and the repository's own texts as pages of the book: links, alt texts, tables, and the figures."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from helpers.course.measured_in import measuring_cells
from helpers.course.repository import file_address
from helpers.paths import ROOT

# A link, or code, in which there is none; a link may have code in its words.
_LINK = re.compile(r"^```.*?^```|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_BADGE = re.compile(r"\[!\[([^\]]*)\]\(https?://[^)]*\)\]\((https?://[^)]*)\)")
_STYLE = re.compile(r'<style type="text/css">\s*</style>\s*|<style scoped>.*?</style>\s*', re.DOTALL)


@dataclass
class Links:
    """Where a link of a page leads. ``pages``: paths that the book has; ``address``: of the repository, or "".

    What is neither goes to the repository, or, where no address of a file there is known, into the book as a file to download:
    ``files`` collects those, to be copied below ``sources/``.
    """

    pages: set[str]
    address: str
    files: set[str] = field(default_factory=set)

    def rewrite(self, text: str, page: str) -> str:
        """``text`` of the page at path ``page`` with its links as the book needs them; code stays as it is."""
        return _LINK.sub(lambda found: self._link(found, page), _BADGE.sub(r"[\1](\2)", text))

    def _link(self, found: re.Match, page: str) -> str:
        picture, words, target = found.groups()
        if target is None or picture or "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        path, _, anchor = target.partition("#")
        inside = Path(os.path.normpath(Path(page).parent / path)).as_posix()
        if inside in self.pages:
            return found[0]
        if not (ROOT / inside).exists():
            raise ValueError(f"{page} links to {target}, which is not in the repository")
        if there := file_address(self.address, inside):
            return f"[{words}]({there}{'#' + anchor if anchor else ''})"
        if (ROOT / inside).is_dir():
            return words
        return self.download(words, inside, page)

    def download(self, words: str, path: str, page: str) -> str:
        """A link from ``page`` to the repository's file ``path`` as it is kept in the book. A role, since the plain link to a
        notebook would be taken for one to a page."""
        self.files.add(path)
        seen_from = Path(os.path.relpath(f"sources/{path}", Path(page).parent)).as_posix()
        return f"{{download}}`{words.replace('`', '')} <{seen_from}>`"


def lesson_page(notebook: nbformat.NotebookNode, page: str, links: Links, facts: str, figures: dict) -> nbformat.NotebookNode:
    """The page of a lesson, from its executed notebook (changed in place), or from one without outputs.

    ``facts``: a line on the run, below the title. ``figures``: what the lesson recorded, shown at its end, each linked to
    the cell that measured it.
    """
    measured = measuring_cells(notebook, figures)
    cells = []
    for at, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = links.rewrite(cell.source, page)
            cells.append(cell)
            continue
        if at in measured.values():
            cells.append(nbformat.v4.new_markdown_cell(f"({_label(at)})="))
        cells += _code(cell)
    source = links.download("The notebook, without outputs", page, page)
    if there := file_address(links.address, page):
        source += f", or [in the repository]({there})"
    title = notebook.cells[0]
    title.source = re.sub(r"\A(# .*)", lambda found: f"{found[1]}\n\n{facts} {source}.", title.source)
    if figures:
        cells.append(nbformat.v4.new_markdown_cell(_table(figures, measured)))
    notebook.cells = cells
    notebook.metadata.pop("papermill", None)
    return notebook


def _code(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """One cell; or several, where it shows several pictures: the book has one alt text for each cell."""
    tags = cell.metadata.get("tags", [])
    cell.metadata = {"tags": ["hide-input"]} if "set-up" in tags else {}
    groups: list[list] = [[]]
    for output in cell.outputs:
        if "text" in output:
            output.text = output.text.replace(f"{ROOT}/", "")
        if "text/html" in output.get("data", {}):
            output.data["text/html"] = _themed(output.data["text/html"])
        if _alt(output) and any(_alt(before) for before in groups[-1]):
            groups.append([])
        groups[-1].append(output)
    cells = [cell]
    cell.outputs = groups[0]
    for group in groups[1:]:
        cells.append(nbformat.v4.new_code_cell("", outputs=group, metadata={"tags": ["remove-input"]}))
    for one in cells:
        alts = [_alt(output) for output in one.outputs if _alt(output)]
        if alts:
            one.metadata["mystnb"] = {"image": {"alt": alts[0]}}
    return cells


def _alt(output: nbformat.NotebookNode) -> str:
    return output.get("metadata", {}).get("image/png", {}).get("alt", "")


def _themed(page: str) -> str:
    """A table of pandas without its own style, under the class that the theme knows."""
    page = _STYLE.sub("", page).replace(' border="1"', "")
    page = re.sub(r'<table id="(\w+)">', r'<table id="\1" class="dataframe">', page)
    return re.sub(r"<th([^>]*)>(?:&nbsp;|\s*)</th>", r"<td\1></td>", page)  # a header without words heads nothing


def _label(at: int) -> str:
    return f"measured-in-{at}"


def _table(figures: dict, measured: dict[str, int]) -> str:
    rows = [f"| [`{key}`](#{_label(measured[key])}) | {number(value)} |" for key, value in figures.items()]
    return "\n".join(
        ["## The figures of this run", "", "As `results.json` has them; each name leads to the cell that measured it.", "",
         "| figure | value |", "|---|---:|", *rows]
    )  # fmt: skip


def number(value: float | int | str) -> str:
    """A figure as a table shows it."""
    return (
        f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")
    )

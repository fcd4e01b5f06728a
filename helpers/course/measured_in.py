"""Which cell of a lesson measured a figure: read from the code that hands the figures to ``record``."""

import ast
import re

import nbformat


def measuring_cells(notebook: nbformat.NotebookNode, figures: dict) -> dict[str, int]:
    """For each name in ``figures`` the index of the cell that last assigned what was recorded under it.

    Where that can't be read from the code, it is the cell that records. ValueError if there are figures and no such cell.
    """
    if not figures:
        return {}
    code = {at: cell.source for at, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    recording = next((at for at, source in reversed(code.items()) if re.search(r"\brecord\(", source)), None)
    if recording is None:
        raise ValueError(f"no cell records {', '.join(figures)}")
    assigned: dict[str, int] = {}
    for at, source in code.items():
        if at < recording:
            assigned |= dict.fromkeys(_assigned(source), at)
    values = list(_recorded(code[recording]))
    return {key: _cell_of(key, values, assigned, recording) for key in figures}


def _cell_of(key: str, values: list[tuple[str, set[str]]], assigned: dict[str, int], recording: int) -> int:
    for pattern, names in values:
        if re.fullmatch(pattern, key):
            found = [assigned[name] for name in names if name in assigned]
            return max(found, default=recording)
    return recording


def _recorded(source: str):
    """Pattern of the key and names in the value, for every ``key: value`` of a dict in the cell. A name that a loop of the cell
    itself fills stands for what the loop goes over."""
    tree = ast.parse(source)
    loops: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            for name in _names(node.target):
                loops[name] = _names(node.iter)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            loops.setdefault(node.targets[0].id, _names(node.value))
    for node in ast.walk(tree):
        pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
        pairs = [(node.key, node.value)] if isinstance(node, ast.DictComp) else pairs
        for key, value in pairs:
            names = _names(value)
            yield _pattern(key), {inner for name in names for inner in loops.get(name, {name})}


def _pattern(key: ast.expr | None) -> str:
    if isinstance(key, ast.Constant):
        return re.escape(str(key.value))
    if isinstance(key, ast.JoinedStr):
        return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in key.values)
    return "(?!)"


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _assigned(source: str) -> set[str]:
    """Names that a cell gives a value: assignments, loops, ``with ... as``; not functions, which measure nothing yet."""
    tree = ast.parse(source)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}

"""Check calls in source text against the signatures that are installed, without running them.

Names are followed through imports, attributes, and variables that were assigned from a call of a class or of a function
with a return annotation. Functions that take ``**kwargs`` accept any keyword, as they do when they are called.
``python -m tests.course.api_calls`` prints the problems of the whole course, for the versions that this Python has.
"""

import ast
import functools
import importlib
import inspect
import sys
import typing
from dataclasses import dataclass

import nbformat

from helpers.paths import ROOT

LIBRARIES = ("transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes", "huggingface_hub", "openai")
WATCHED = (*LIBRARIES, "helpers")


@dataclass(frozen=True)
class Instance:
    """Some object of a class; only its methods are known."""

    of: type


def course_sources() -> dict[str, str]:
    """Source text by name: modules of helpers, and all code cells of each notebook together."""
    sources = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("helpers/**/*.py"))}
    for path in sorted([*ROOT.glob("notebooks/**/*.ipynb"), *ROOT.glob("exercises/**/*.ipynb")]):
        cells = nbformat.read(path, as_version=4).cells
        sources[str(path.relative_to(ROOT))] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return sources


def problems(source: str, where: str = "source", watched: tuple[str, ...] = WATCHED) -> list[str]:
    """What doesn't fit, in words: imports that are gone, and calls with arguments that the callee doesn't take."""
    reader = _Reader(where, watched)
    reader.visit(ast.parse(source))
    return reader.found


def checked_calls(source: str, watched: tuple[str, ...] = WATCHED) -> int:
    """How many calls :func:`problems` compares with a signature."""
    reader = _Reader("source", watched)
    reader.visit(ast.parse(source))
    return reader.checked


class _Reader(ast.NodeVisitor):
    def __init__(self, where: str, watched: tuple[str, ...]):
        self.where, self.watched = where, watched
        self.names: dict[str, object] = {}
        self.found: list[str] = []
        self.checked = 0

    def visit_Import(self, node):
        for alias in node.names:
            if alias.name.split(".")[0] in self.watched and self._module(alias.name, node):
                shown = alias.name if alias.asname else alias.name.split(".")[0]
                self.names[alias.asname or shown] = importlib.import_module(shown)

    def visit_ImportFrom(self, node):
        if node.level or (node.module or "").split(".")[0] not in self.watched or not self._module(node.module, node):
            return
        module = importlib.import_module(node.module)
        for alias in node.names:
            try:
                value = getattr(module, alias.name) if hasattr(module, alias.name) else self._submodule(node.module, alias.name)
            except ImportError:
                self._say(node, f"{node.module} has no {alias.name}")
                continue
            self.names[alias.asname or alias.name] = value

    def visit_Assign(self, node):
        self.generic_visit(node)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._bind(target.id, node.value)

    def visit_Call(self, node):
        self.generic_visit(node)
        callee = self._resolve(node.func)
        if callee is None or isinstance(callee, Instance):
            return
        try:
            signature = inspect.signature(callee)
        except (ValueError, TypeError):
            return
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            return
        self.checked += 1
        positional = [None] * sum(not isinstance(argument, ast.Starred) for argument in node.args)
        named = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        try:
            signature.bind_partial(*positional, **named)
        except TypeError as error:
            self._say(node, f"{ast.unparse(node.func)}: {error}")

    def _bind(self, name: str, value: ast.expr) -> None:
        self.names.pop(name, None)
        callee = self._resolve(value.func) if isinstance(value, ast.Call) else None
        made = callee if inspect.isclass(callee) else _returned(callee)
        if made is not None:
            self.names[name] = Instance(made)

    def _resolve(self, node: ast.expr):
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._resolve(node.value)
        if isinstance(owner, Instance):
            return _method(owner.of, node.attr)
        return getattr(owner, node.attr, None) if owner is not None else None

    def _module(self, name: str, node) -> bool:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if getattr(error, "name", None) and error.name.split(".")[0] not in self.watched:
                return False  # a module of the course that wants an extra which isn't installed here
            self._say(node, f"{name} can't be imported: {error}")
            return False
        return True

    @staticmethod
    def _submodule(module: str, name: str):
        return importlib.import_module(f"{module}.{name}")

    def _say(self, node, what: str) -> None:
        self.found.append(f"{self.where}, line {node.lineno}: {what}")


def _method(of: type, name: str):
    """A method as it is called on an instance: without its first argument."""
    method = getattr(of, name, None)
    if not inspect.isfunction(method) or isinstance(inspect.getattr_static(of, name), staticmethod):
        return method
    return functools.partial(method, None)


def _returned(callee) -> type | None:
    try:
        made = typing.get_type_hints(callee).get("return") if inspect.isfunction(callee) else None
    except Exception:  # annotations that only a type checker can read
        return None
    return made if inspect.isclass(made) else None


if __name__ == "__main__":
    wrong = [line for name, source in course_sources().items() for line in problems(source, name)]
    print("\n".join(wrong) or "every call fits")
    sys.exit(bool(wrong))

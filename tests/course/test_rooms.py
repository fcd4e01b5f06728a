"""The house keeps its shape: rooms in layers, opened lazily, found by their docstrings, and used through their doors."""

import ast
import importlib
import pkgutil
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import helpers
from helpers.paths import ROOT

ROOMS = sorted(module.name for module in pkgutil.iter_modules(helpers.__path__) if module.ispkg)
LINT = str(Path(sys.executable).with_name("lint-imports"))


def test_there_are_few_rooms_and_small_modules():
    assert len(list((ROOT / "helpers").glob("*.py"))) <= 5
    assert 8 <= len(ROOMS) <= 12
    long = {path.name: n for path in (ROOT / "helpers").rglob("*.py") if (n := len(path.read_text().splitlines())) > 260}
    assert not long


def test_a_name_in_two_modules_of_a_room_is_refused():
    with pytest.raises(ValueError, match="show in pictures and in another module"):
        helpers.open_room("room", {"figure": ("show",), "pictures": ("draw", "show")})


def lint(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_the_layers_hold_and_a_planted_breach_is_found(tmp_path):
    assert lint(ROOT).returncode == 0, lint(ROOT).stdout
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers", ignore=shutil.ignore_patterns("embedded", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with open(tmp_path / "helpers" / "data" / "kinds.py", "a") as file:
        file.write("\n\ndef breach():\n    from helpers.plots import show\n\n    return show\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    assert "helpers.data.kinds -> helpers.plots" in done.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_is_in_it_and_has_it(room):
    opened = importlib.import_module(f"helpers.{room}")
    assert 3 <= len(opened.__doc__.strip().splitlines()) <= 8
    modules = {module.name for module in pkgutil.iter_modules(opened.__path__)}
    assert opened.__all__
    assert not modules & set(opened.__all__), "once the module is imported, the package's attribute is the module"
    for name in opened.__all__:
        assert getattr(opened, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        _ = opened.nothing_of_the_kind


WORDS = {
    "relaxed accuracy": "evaluation", "label mask": "training", "occlusion": "evaluation", "image tokens": "models",
    "tiles": "models", "checkpoint marker": "training", "dry run": "memory", "quantized bytes": "memory", "leak": "data",
    "judge": "evaluation", "bootstrap": "evaluation", "EXIF": "data", "Colab set-up": "course", "profile": "course",
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_stranger_finds_the_word_in_its_rooms_docstring(word):
    said = " ".join(importlib.import_module(f"helpers.{WORDS[word]}").__doc__.split())
    assert word.lower() in said.lower()


def imports_of(source: str) -> list[str]:
    return [node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) and node.module]


def test_everybody_comes_in_by_the_rooms_door():
    sources = {
        path: path.read_text(encoding="utf-8") for folder in ("helpers", "tests") for path in (ROOT / folder).rglob("*.py")
    }
    for path in [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("exercises/**/*.ipynb")]:
        cells = nbformat.read(path, as_version=4).cells
        sources[path] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for path, source in sources.items():
        for module in imports_of(source):
            parts = module.split(".")
            if parts[0] == "helpers" and len(parts) > 2:
                assert path.is_relative_to(ROOT / "helpers" / parts[1]), f"{path.relative_to(ROOT)}: from {module}"


def test_opening_a_room_costs_next_to_nothing():
    code = "import sys, helpers.{0}; assert not {{'torch', 'transformers', 'datasets', 'matplotlib'}} & set(sys.modules)"
    for room in ROOMS:
        assert subprocess.run([sys.executable, "-c", code.format(room)], cwd=ROOT).returncode == 0, room
    code = "import sys, helpers.lora; assert 'matplotlib' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_command_answers_at_once_and_needs_no_packages():
    """``-I -S``: no site-packages, as on a fresh machine."""
    began = time.perf_counter()
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from helpers.__main__ import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "setup" in done.stdout
    assert time.perf_counter() - began < 2  # 0.05 s by itself; beside other tests a process starts slowly

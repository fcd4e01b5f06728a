"""The set-up cell's logic with faked runtimes, and the contract with Colab's published package list, by a resolver."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from helpers.course import colab
from helpers.paths import ROOT


@pytest.fixture
def on_colab(monkeypatch):
    """A Colab session that lacks trl; pip is recorded instead of run."""
    calls = []
    report = {
        "install": [{"metadata": {"name": "trl", "version": "1.16.0"}}, {"metadata": {"name": "pandas", "version": "99"}}]
    }

    def pip(*words):
        calls.append(words)
        return json.dumps(report)

    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    monkeypatch.setattr(colab, "unmet", lambda wanted: ["trl>=1.10"])
    monkeypatch.setattr(colab, "pip", pip)
    monkeypatch.setattr(colab.metadata, "version", {"pandas": "2.2.3"}.__getitem__)
    monkeypatch.setattr(colab, "_import_bitsandbytes", lambda: calls.append("bitsandbytes"))
    return calls, report


def missing_package(name):
    raise metadata.PackageNotFoundError(name)


def test_where_everything_is_installed_it_does_nothing(monkeypatch, capsys):
    monkeypatch.setattr(colab, "pip", lambda *words: pytest.fail("pip was called"))
    colab.prepare()
    colab.prepare()
    assert capsys.readouterr().out == ""


def test_imports_leave_the_compiler_out_and_it_compiles_all_the_same():
    code = """
import os, sys
from helpers.course import prepare
os.environ.pop("TORCHDYNAMO_DISABLE", None)
prepare()
assert "TORCHDYNAMO_DISABLE" not in os.environ
import peft, torch
from trl import DPOTrainer, GRPOTrainer, SFTTrainer
assert "bitsandbytes" in sys.modules
assert "torch._inductor.compile_fx" not in sys.modules
graphs = []
torch.compile(lambda x: x + 1, backend=lambda graph, inputs: graphs.append(graph) or graph)(torch.ones(2))
assert len(graphs) == 1
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_on_a_machine_of_your_own_nothing_is_installed_unasked(monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setattr(colab, "unmet", lambda wanted: ["trl>=1.10"])
    monkeypatch.setattr(colab, "pip", lambda *words: pytest.fail("pip was called"))
    with pytest.raises(ModuleNotFoundError, match=r"lacks trl>=1.10: run `make setup`"):
        colab.prepare()


def test_a_restart_is_announced_before_pip_runs_and_asked_for_after(on_colab, monkeypatch, capsys):
    calls, _ = on_colab
    monkeypatch.setattr(colab.metadata, "version", lambda name: "2.2.3" if name == "pandas" else missing_package(name))
    said_before = []
    pip = colab.pip
    monkeypatch.setattr(colab, "pip", lambda *words: said_before.append(capsys.readouterr().out) or pip(*words))
    monkeypatch.setitem(sys.modules, "pandas", sys)
    with pytest.raises(RuntimeError, match=r"restart the session now \(Runtime > Restart session\)"):
        colab.prepare()
    assert "--dry-run" in calls[0]
    assert "--dry-run" not in calls[1]
    assert "installing trl 1.16.0\nupgrading pandas 2.2.3 to 99" in said_before[1]
    assert "pandas of these are loaded already" in said_before[1]


def test_without_anything_loaded_no_restart_is_asked_for(on_colab, monkeypatch, capsys):
    calls, report = on_colab
    report["install"].pop()
    monkeypatch.setattr(colab.metadata, "version", missing_package)
    colab.prepare()
    assert [("--dry-run" in words) for words in calls] == [True, False, False]
    assert calls[-1] == "bitsandbytes"
    assert "restart" not in capsys.readouterr().out


def test_homes(monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    assert colab.home() == "local"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert colab.home() == "kaggle"


def test_what_is_unmet():
    assert colab.unmet(["pytest>=1", "no-such-package>=1", "numpy>=999"]) == ["no-such-package>=1", "numpy>=999"]
    assert not colab.unmet(colab.requirements())
    assert not any(line.startswith("jupyterlab") for line in colab.requirements())


def test_only_upgrades_of_what_is_in_memory_need_a_restart():
    changes = {"pytest": ("1", "2"), "jupyterlab": ("1", "2"), "brand-new": (None, "1")}
    assert colab.already_loaded(changes) == ["pytest"]
    assert colab.describe({}) == "installing nothing new\nupgrading nothing"


def test_pip_holds_what_the_runtime_was_made_with(monkeypatch, tmp_path):
    held = []

    def run(command, **settings):
        held.append(Path(command[-1]).read_text())
        return subprocess.CompletedProcess(command, 1, "", "ResolutionImpossible")

    monkeypatch.setattr(colab.subprocess, "run", run)
    with pytest.raises(RuntimeError, match=r"choose a newer runtime(.|\n)*ResolutionImpossible"):
        colab.plan(["trl"])
    assert held[0].splitlines() == [f"{name}=={metadata.version(name)}" for name in colab.KEPT]


def test_an_extra_counts_as_missing_where_a_package_of_it_is(monkeypatch):
    wanted = colab.requirements("serving")
    assert set(wanted) > set(colab.requirements())
    assert not colab.unmet(wanted)
    version = metadata.version
    monkeypatch.setattr(colab.metadata, "version", lambda name: missing_package(name) if name == "openai" else version(name))
    assert colab.unmet(wanted) == ["transformers[serving]>=5.23"]


def frozen(folder: Path) -> dict[str, str]:
    """Versions of Colab's list by name; what comes from an address instead of an index is left out."""
    lines = (folder / "colab" / "pip-freeze.gpu.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if re.match(r"[\w.-]+==", line))
    return {name: version.partition("+")[0] for name, version in pairs}  # 2.11.0+cu128 is 2.11.0 on an index


def resolve(folder: Path, wanted: list[str], have: dict[str, str]) -> dict[str, str]:
    """What a resolver makes of ``wanted`` on Colab's Python beside its torch, torchvision and numpy, keeping what it can."""
    (folder / "wanted.in").write_text("\n".join(wanted))
    (folder / "held.txt").write_text("\n".join(f"{name}=={have[name]}" for name in colab.KEPT))
    (folder / "result.txt").write_text("\n".join(f"{name}=={version}" for name, version in have.items()))  # kept if it may be
    # torch is there already, with CUDA libraries of its own: what a wheel from the index would bring is beside the point.
    (folder / "uv.toml").write_text(
        f'dependency-metadata = [{{ name = "torch", version = "{have["torch"]}", requires-dist = [] }}]'
    )
    uv = Path(sys.executable).with_name("uv")
    options = "--python-version 3.13 --python-platform x86_64-unknown-linux-gnu --no-header --no-annotate --quiet"
    files = ["wanted.in", "-c", "held.txt", "--config-file", "uv.toml", "-o", "result.txt"]
    done = subprocess.run([uv, "pip", "compile", *files, *options.split()], cwd=folder, capture_output=True, text=True)
    if re.search(r"error sending request|[Ff]ailed to fetch|dns error|Connect", done.stderr):
        pytest.skip("no package index can be reached: the resolver has nothing to resolve with")
    if done.returncode:
        raise ValueError(done.stderr)
    lines = (folder / "result.txt").read_text().splitlines()
    return {name: rest.split(" ")[0] for name, rest in (line.split("==") for line in lines if "==" in line)}


@pytest.mark.parametrize("extras", [(), ("serving",)], ids=["most lessons", "lesson 09"])
def test_the_courses_ranges_fit_colab_without_replacing_torch_torchvision_or_numpy(shared, tmp_path, extras):
    have = frozen(shared)
    assert have["torch"].startswith("2.11")
    assert "trl" not in have
    got = resolve(tmp_path, colab.requirements(*extras), have)
    assert {name: got[name] for name in colab.KEPT} == {name: have[name] for name in colab.KEPT}
    for line in colab.requirements(*extras):
        requirement = Requirement(line)
        assert requirement.specifier.contains(got[requirement.name]), f"{line}: Colab would get {got[requirement.name]}"
    by_name = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in have.items()}
    changes = {name: (by_name.get(name), version) for name, version in got.items() if by_name.get(name) != version}
    assert set(changes) >= {"trl", "bitsandbytes"}, "these two are not part of a Colab runtime"
    assert not set(changes) & {*colab.KEPT, "ipykernel", "jupyter-client", "tornado"}, (
        "the kernel that runs the cell stays as it is"
    )
    print(f"\non Colab the set-up cell says:\n{colab.describe(changes)}")


def test_the_resolver_would_notice(shared, tmp_path):
    with pytest.raises(ValueError, match="torch"):
        resolve(tmp_path, [*colab.requirements(), "torch>=2.12"], frozen(shared))

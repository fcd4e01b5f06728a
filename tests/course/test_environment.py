"""One place says which packages: pyproject.toml; the lock and environment.yml agree with it."""

import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.request

import pytest
import yaml
from packaging.requirements import Requirement

from helpers.course import Steps, environment, read_measured, size_of
from helpers.evaluation import free_port
from helpers.paths import CACHE, ROOT, caches

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()


def locked() -> dict[str, set[str]]:
    """Versions by package; a universal lock may hold one version per Python or platform."""
    versions: dict[str, set[str]] = {}
    for line in LOCK.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            versions.setdefault(requirement.name.lower(), set()).add(str(requirement.specifier).removeprefix("=="))
    return versions


def test_the_lock_pins_every_dependency_within_its_range():
    extras = PROJECT["optional-dependencies"]
    wanted = [
        *PROJECT["dependencies"],
        *(line for extra in ("dev", "serving", "site", "tiny") for line in extras[extra]),
    ]  # what `make` installs
    pinned = locked()
    for line in wanted:
        requirement = Requirement(line)
        assert requirement.name.lower() in pinned, f"{requirement.name} is not in requirements.lock: make lock"
        for version in pinned[requirement.name.lower()]:
            assert requirement.specifier.contains(version), f"{requirement} does not allow the locked {version}"


def test_the_lock_is_universal_and_names_no_registry():
    assert "sys_platform == 'linux'" in LOCK
    assert "sys_platform == 'win32'" in LOCK
    assert re.search(r"python_(full_)?version", LOCK)
    assert "://" not in LOCK


def test_the_conda_file_refers_to_them_and_repeats_nothing():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert pip == ["-c requirements.lock", "-e .[dev,serving,site,tiny]"]
    (python,) = (entry for entry in dependencies if isinstance(entry, str) and entry.startswith("python="))
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(python.removeprefix("python="))


def test_caches_stay_in_the_repository():
    assert all(value.startswith(str(CACHE)) for name, value in caches().items() if name.endswith(("HOME", "DIR")))


@pytest.fixture
def home(tmp_path) -> dict[str, str]:
    """The environment of somebody with an empty home folder, who has never run the course."""
    (tmp_path / "home").mkdir()
    return {name: value for name, value in os.environ.items() if name not in caches()} | {"HOME": str(tmp_path / "home")}


def test_jupyterlab_leaves_nothing_in_the_home_folder(home):
    port = free_port()
    own = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "helpers", "lab", "--", *own]
    server = subprocess.Popen(command, cwd=ROOT, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            time.sleep(0.5)
            assert server.poll() is None, "it ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/lab", timeout=5).close()
                break
            except OSError:
                continue
        else:
            raise AssertionError("no answer in two minutes")
    finally:
        server.terminate()
        server.wait(timeout=60)
    assert not os.listdir(home["HOME"])


def test_drawing_the_data_leaves_nothing_in_the_home_folder(home):
    """``python -m helpers.tiny data``, with drawing in place of all that it draws."""
    told = """
import sys, types
def draw(folder):
    import matplotlib.font_manager
sys.modules["helpers.tiny.mini"] = sys.modules["helpers.tiny.pairs"] = types.SimpleNamespace(build=draw)
from helpers.tiny import __main__ as tiny
sys.argv = ["helpers.tiny", "data"]
tiny.main()
"""
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not os.listdir(home["HOME"])


def test_a_step_writes_a_log_and_its_end_is_named(tmp_path, capfd):
    with Steps(tmp_path / "new" / "setup.log") as steps:
        assert steps.run([sys.executable, "-c", "print('all', 'is well')"])
        assert not steps.run([sys.executable, "-c", "raise SystemExit('no space left')"])
        end = steps.end()
    assert "no space left" in end
    assert str(tmp_path / "new" / "setup.log") in end
    assert "all is well" in (tmp_path / "new" / "setup.log").read_text()
    assert capfd.readouterr().out == "", "the line that counts is for a terminal"


def test_a_file_that_is_linked_counts_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 1000)
    (tmp_path / "b" / "file").hardlink_to(tmp_path / "a" / "file")
    assert size_of(tmp_path / "a") == size_of(tmp_path / "a", tmp_path / "b") == 1000


class Said:
    """Steps that only note what they are asked to run; those with a word of ``fails`` in them fail."""

    def __init__(self, *fails):
        self.fails, self.ran = fails, []

    def run(self, command):
        self.ran.append(" ".join(command))
        return not any(word in self.ran[-1] for word in self.fails)

    def end(self):
        return "The last words"


@pytest.mark.parametrize(
    ("fails", "by", "ran"),
    [((), "uv", 2), (("-m uv",), "pip", 3), (("pip install --cache-dir",), None, 2)],
)
def test_uv_installs_the_packages_and_pip_where_uv_fails(fails, by, ran):
    steps = Said(*fails)
    if by is None:
        with pytest.raises(SystemExit, match=r"could not be installed. The last words"):
            environment._install(steps, "")
    else:
        assert environment._install(steps, "") == by
    assert len(steps.ran) == ran
    assert all("requirements.lock" in command for command in steps.ran)


def test_torch_comes_from_its_own_index_first():
    steps = Said()
    environment._install(steps, "https://example.org/cpu")
    assert [("--no-deps" in command, "example.org" in command) for command in steps.ran] == [
        (False, False), (True, True), (False, False),
    ]  # fmt: skip


def test_what_a_set_up_takes_is_said_beforehand(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "VENV", tmp_path / "none")
    monkeypatch.setattr("sys.platform", "linux")
    took = read_measured()["setup"]
    assert f"{took['bytes'] / 1e9:.1f} GB on disk, the cache included" in environment._outlook("")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 3_000_000_000}))
    assert "only 3.0 GB are free here" in environment._outlook("")
    assert "this takes less" in environment._outlook("https://example.org/cpu")

"""One place says which packages: pyproject.toml; the lock and environment.yml agree with it."""

import re
import tomllib

import yaml
from packaging.requirements import Requirement

from helpers.course import caches
from helpers.paths import CACHE, ROOT

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
    wanted = [*PROJECT["dependencies"], *extras["dev"], *extras["tiny"]]  # what `make` installs
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

"""What a project's host reads from it: workflows, the form for bug reports, the citation. All checked without a network."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from helpers.paths import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def check(schema: str, *files) -> subprocess.CompletedProcess:
    """Compare files with a schema that check-jsonschema brings along; a schema it had to fetch would be an error here."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    return subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True)


def commands(workflow: str) -> list[str]:
    jobs = yaml.safe_load((GITHUB / "workflows" / workflow).read_text(encoding="utf-8"))["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_workflows_are_valid_and_end(schema):
    done = check(schema, *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("runs-on:", "runs_on:", "runs-on"),
        ("contents: read", "contents: reed", "reed"),
    ],
)
def test_a_planted_error_in_a_workflow_is_found(tmp_path, right, wrong, named):
    text = (GITHUB / "workflows/tests.yml").read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "tests.yml").write_text(text.replace(right, wrong), encoding="utf-8")
    done = check("vendor.github-workflows", tmp_path / "tests.yml")
    assert done.returncode == 1
    assert named in done.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_may_only_read_and_pin_what_they_use(file):
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    more = [job["permissions"] for job in workflow["jobs"].values() if "permissions" in job]
    assert more == ([{"pages": "write", "id-token": "write"}] if file.name == "site.yml" else []), (
        "publishing the book needs more"
    )
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used), used


def test_the_workflow_tests_as_make_does_on_pythons_that_the_course_allows():
    recipe = re.search(r"^test: setup\n\t@\$\(VENV_PYTHON\) (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    assert f'"$VENV_PYTHON" {recipe}' in commands("tests.yml")
    text = (GITHUB / "workflows/tests.yml").read_text(encoding="utf-8")
    pythons = yaml.safe_load(text)["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(python) for python in pythons)


def test_modules_of_the_course_that_workflows_run_exist():
    """No schema sees that one was moved, and the weekly workflow would say so only a week later."""
    run = [name for file in WORKFLOWS for command in commands(file.name) for name in re.findall(r"-m ([\w.]+)", command)]
    own = [name for name in run if name.split(".")[0] in ("helpers", "tests")]
    assert {name.split(".")[0] for name in own} == {"helpers", "tests"}
    for name in own:
        path = ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"there is no {name} to run"


def test_the_form_for_bug_reports_asks_for_the_doctor():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8"))
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    assert set(fields) == {"where", "happened", "expected", "doctor"}
    assert all(field["validations"]["required"] for field in fields.values())
    assert "python -m helpers doctor" in fields["doctor"]["attributes"]["description"]


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_forms_and_citation_are_valid(schema, file, tmp_path):
    done = check(schema, ROOT / file)
    assert done.returncode == 0, done.stdout + done.stderr
    spoilt = tmp_path / "spoilt.yml"
    spoilt.write_text((ROOT / file).read_text(encoding="utf-8") + "\nplanted: true\n", encoding="utf-8")
    assert check(schema, spoilt).returncode == 1


def test_the_citation_is_of_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]

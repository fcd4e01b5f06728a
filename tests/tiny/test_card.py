"""What another run of the recipe adds to the card, and what is no such run."""

import json
import shutil

import pytest

from helpers.paths import EMBEDDED_MODEL
from helpers.tiny import CLAIMED, note_rebuild, read_made


@pytest.fixture
def shipped(tmp_path):
    """A copy of the shipped model, without the rebuilds that it knows of."""
    folder = tmp_path / "shipped"
    shutil.copytree(EMBEDDED_MODEL, folder)
    made = read_made(folder)
    made.pop("rebuilt", None)
    (folder / "made.json").write_text(json.dumps(made))
    return folder


def again(folder, **changes):
    """The folder of another run, beside that of the first."""
    other = folder.with_name("other")
    other.mkdir()
    (other / "made.json").write_text(
        json.dumps(read_made(folder) | {"date": "2027-01-02T03:04:05", "machine": "an abacus"} | changes)
    )
    return other


def test_a_rebuild_is_a_row_that_names_what_lies_farthest_off(shipped):
    skills = read_made(shipped)["skills"]
    moved = {form: share - 0.01 for form, share in skills.items()} | {"size": skills["size"] + 0.05}
    note_rebuild(shipped, again(shipped, skills=moved))
    row = next(line for line in (shipped / "README.md").read_text().splitlines() if "an abacus" in line)
    claimed = [form for form, share in skills.items() if share >= CLAIMED]
    mean = (0.05 - 0.01 * (len(claimed) - 1)) / len(claimed)
    assert row.startswith("| 2027-01-02 | `")
    assert row.endswith(f"| an abacus | size, +0.050 | {mean:+.3f} | over 0.87, order 0.45 |")
    assert read_made(shipped)["skills"] == skills, "the shipped weights' own"


@pytest.mark.parametrize("changes", [{"seed": 7}, {"skills": {"describe": 1.0}}])
def test_another_seed_or_other_forms_are_no_rebuild(shipped, changes):
    with pytest.raises(ValueError, match="no rebuild"):
        note_rebuild(shipped, again(shipped, **changes))
    assert "rebuilt" not in read_made(shipped)

"""Estimates for cards that nobody measured: their method, its check, and the page that states them."""

import json
import re

import pytest

from helpers.course import gpu_times, load_profile, measured_steps, training_minutes
from helpers.paths import ROOT

PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    table = re.search(rf"<!-- {name} -->\n(.*)<!-- end of {name} -->", PAGE, re.DOTALL)[1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_method_gives_the_published_run_within_a_tenth():
    assert gpu_times.published_check() == pytest.approx(gpu_times.PUBLISHED_MINUTES, rel=0.1)
    assert f"67 minutes. The method gives {gpu_times.published_check():.0f}." in PAGE


def test_the_page_states_what_was_measured():
    stated = rows("steps")
    assert len(stated) == len(measured_steps())
    for cells, row in zip(stated, measured_steps(), strict=True):
        assert cells[:2] == [row["name"], str(row["batch"])]
        seconds, peak, reserved = map(float, cells[2:])
        assert seconds == pytest.approx(row["step_seconds"], abs=6e-4)
        assert [peak, reserved] == pytest.approx([row["peak_gb"], row["reserved_gb"]], abs=6e-3)
    ratios = [row["reserved_gb"] / row["peak_gb"] - 1 for row in measured_steps()]
    assert "5 to 20 % more" in PAGE
    assert [round(100 * ratio) for ratio in (min(ratios), max(ratios))] == [5, 20]


def test_the_page_states_what_make_gpu_measured():
    report = json.loads((ROOT / "notebooks" / "measured" / "gpu.json").read_text(encoding="utf-8"))
    steps = [row for name, row in report["stages"].items() if name.startswith("steps")]
    for cells, row in zip(rows("make gpu"), steps, strict=True):
        assert cells[:2] == [row["name"], str(row["batch"])]
        wanted = [row[name] for name in ("step_seconds", "peak_gb", "reserved_gb", "dry_run_gb")]
        assert [float(cell) for cell in cells[2:]] == pytest.approx(wanted, abs=6e-3)
    missed = [row["what"] for row in report["bounds"] if not row["holds"]]
    assert missed == ["lesson 04 over the card alone"]
    assert "**One bound is missed**" in PAGE


def test_the_page_states_the_estimates():
    for card, profile, *cells in rows("estimates"):
        name, size = re.fullmatch(r"(\w+), (\d+) GB", card).groups()
        assert gpu_times.CARDS[name].memory_gb == int(size)
        values = load_profile(profile.strip("`"))
        for lesson, minutes, checkpointing in (("04", *cells[:2]), ("05", *cells[2:])):
            assert int(minutes) == round(training_minutes(name, values, lesson))
            assert checkpointing == ("on" if gpu_times.needs_checkpointing(name, values, lesson) else "off")
    flops = re.search(r"\((\d+), (\d+), (\d+) and (\d+) TFLOPS for T4, L4, A100 and H200\)", PAGE).groups()
    assert [int(one) for one in flops] == [gpu_times.CARDS[name].tflops for name in ("T4", "L4", "A100", "H200")]


@pytest.mark.parametrize(("lesson", "column"), [("04", 2), ("05", 4)])
def test_the_readme_states_the_same_estimates(lesson, column):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = re.search(
        rf"^\| \[{lesson} .*\| (\d+) minutes on a T4, estimate \| (\d+) minutes on an L4, estimate \|$", readme, re.M
    )
    wanted = {row[0]: row[column] for row in rows("estimates")}
    assert list(stated.groups()) == [wanted["T4, 16 GB"], wanted["L4, 24 GB"]]


def test_an_example_costs_more_with_less_room():
    spared, kept = (
        gpu_times.example_seconds(checkpointing=True),
        gpu_times.example_seconds(checkpointing=True, frozen_vision=False),
    )
    assert spared < kept
    assert gpu_times.example_seconds(checkpointing=False) < spared
    assert gpu_times.example_seconds(checkpointing=False, frozen_vision=False) == gpu_times.example_seconds(checkpointing=False)
    assert 1.1 < gpu_times.example_seconds(checkpointing=True, quantization="4bit") / spared < 1.3

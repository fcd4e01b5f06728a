"""The exercises: every check against right and wrong answers, as handed out and as solved, and what is generated."""

import contextlib
import importlib
import io
import json
import re
import shutil
import warnings
from collections.abc import Iterator

import nbformat
import pytest
from transformers import TemperatureLogitsWarper
from trl import GRPOConfig, ModelConfig, SFTConfig, get_peft_config

from helpers.course import find_lessons
from helpers.exercises import (
    CAUSES,
    EXERCISES,
    KINDS,
    OUTCOMES,
    RUNS,
    SOLUTIONS,
    SOURCE,
    Exercise,
    Result,
    entries_of,
    index_of,
    notebooks,
    open_exercises,
    out_of_step,
    progress,
    progress_file,
    questions_04,
    questions_07,
    questions_08,
    questions_of,
    read_run,
    trials,
)
from helpers.lora import count_parameters

NOTEBOOKS = notebooks()
ANSWERS = {notebook: importlib.import_module(f"tests.exercises.answers_{notebook[:2]}") for notebook in NOTEBOOKS}
QUESTIONS = [(notebook, name) for notebook in NOTEBOOKS for name in questions_of(notebook)]
ENTRIES = {notebook: entries_of(SOURCE / f"{notebook}.ipynb") for notebook in NOTEBOOKS}
ALSO_RIGHT = [(notebook, name) for notebook, answers in ANSWERS.items() for name in answers.ALSO_RIGHT]
TRAINED = {("02_lora_parameters", "q5"), ("03_batch_size_memory", "q4")}  # their checks train for seconds


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture
def no_training(monkeypatch):
    """What the two experiments' trainings come to, without them: little where the learning rate is far too low."""
    monkeypatch.setattr(trials, "_accuracy", lambda lora, step, steps: 0.2 if dict(step)["learning_rate"] < 1e-5 else 0.9)


def run_cells(path) -> dict:
    """Names of a notebook after its code cells ran here, in this process: a kernel takes seconds to start."""
    namespace = {"__name__": "__main__"}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(cell.source, f"{path.name}, {cell.id}", "exec"), namespace)
    return namespace


def exercise(notebook: str, name: str, names: dict) -> Exercise:
    return Exercise(notebook, name, questions_of(notebook)[name], names)


def blanks(notebook: str, name: str) -> Iterator[dict]:
    """What a learner may not have done: nothing at all, or run the cell with its blank."""
    yield {}
    yield run_answer(EXERCISES / f"{notebook}.ipynb", name)


def run_answer(path, name: str) -> dict:
    """Names of one answer cell alone."""
    (source,) = (c.source for c in nbformat.read(path, as_version=4).cells if grade_id(c) == name)
    namespace = {}
    exec(source, namespace)
    return namespace


def grade_id(cell) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


# The checks.


@pytest.mark.parametrize(("notebook", "name"), QUESTIONS)
def test_not_attempted(notebook, name):
    for names in blanks(notebook, name):
        result = exercise(notebook, name, names).check()
        assert (result.outcome, bool(result)) == ("not attempted", False)
    assert not progress_file().exists()


@pytest.mark.parametrize(("notebook", "name"), QUESTIONS)
def test_wrong_answers_are_told_from_each_other(notebook, name, no_training):
    messages = []
    for names, words in ANSWERS[notebook].WRONG[name]:
        result = exercise(notebook, name, names).check()
        assert result.outcome == "wrong", f"{names} passes: {result}"
        assert words in result.message
        messages.append(result.message)
    assert len(set(messages)) == len(messages) >= 3
    assert not progress_file().exists()


@pytest.mark.parametrize(("notebook", "name"), ALSO_RIGHT)
def test_right_answers_that_are_not_the_solution(notebook, name):
    for names in ANSWERS[notebook].ALSO_RIGHT[name]:
        assert exercise(notebook, name, names).check(), exercise(notebook, name, names).check()


def test_every_exercise_has_wrong_answers():
    assert [(notebook, name) for notebook, answers in ANSWERS.items() for name in answers.WRONG] == QUESTIONS
    assert set(ALSO_RIGHT) <= set(QUESTIONS)


# The notebooks, run here.


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_as_handed_out_nothing_is_attempted_and_nothing_raises(notebook):
    names = run_cells(EXERCISES / f"{notebook}.ipynb")
    for question in open_exercises(notebook, names):
        assert question.check().outcome == "not attempted"
    assert progress().solved == 0


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_solutions_are_right(notebook, no_training):
    """Their hidden tests raise if one is not. The two that train do so in the soak test below."""
    run_cells(SOLUTIONS / f"{notebook}.ipynb")
    assert json.loads(progress_file().read_text()) == {notebook: list(questions_of(notebook))}


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "name"), sorted(TRAINED))
def test_the_solutions_that_train_clear_the_bar(notebook, name):
    result = exercise(notebook, name, run_answer(SOLUTIONS / f"{notebook}.ipynb", name)).check()
    assert result, result


@pytest.mark.slow
def test_at_the_learning_rate_handed_out_the_solutions_adapter_stays_below_the_bar():
    settings = run_answer(SOLUTIONS / "02_lora_parameters.ipynb", "q5")["settings"] | {"learning_rate": 1e-4}
    assert "the bar is" in exercise("02_lora_parameters", "q5", {"settings": settings}).check().message


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_solution_is_in_what_is_handed_out(notebook):
    handed_out = nbformat.read(EXERCISES / f"{notebook}.ipynb", as_version=4).cells
    solved = {grade_id(cell): cell.source for cell in nbformat.read(SOLUTIONS / f"{notebook}.ipynb", as_version=4).cells}
    for cell in handed_out:
        assert not re.search("SOLUTION|HIDDEN|assert q", cell.source)
        if cell.metadata.get("nbgrader", {}).get("solution"):
            assert "your answer here" in cell.source
            regions = re.findall(r"### BEGIN SOLUTION\n(.*?)\n\s*### END SOLUTION", solved[grade_id(cell)], re.DOTALL)
            assert regions
            assert not any(region.strip() in cell.source for region in regions)


# Interface.


def test_a_check_says_nothing_on_stderr():
    """nbgrader gives no points to a cell that does; SFTConfig warns of a name in lesson 04's own right answer."""
    answer = run_answer(SOLUTIONS / "04_sft_chartqa.ipynb", "q4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exercise("04_sft_chartqa", "q4", answer).check()


def test_hints_and_solutions():
    for notebook, name in QUESTIONS:
        one = exercise(notebook, name, {})
        hints = one.question.hints
        assert len(hints) >= 2
        assert hints[0] in one.hint()
        assert hints[1] in one.hint(2)
        assert "```python" in one.solution()
        assert "###" not in one.solution()
        with pytest.raises(ValueError, match=f"has {len(hints)}"):
            one.hint(len(hints) + 1)
    with pytest.raises(ValueError, match="no hint 0"):
        one.hint(0)


def test_a_result_reads_well_in_a_notebook_and_in_a_terminal():
    result = Result("wrong", "a < b\nnot c")
    assert str(result) == repr(result) == "wrong: a < b\nnot c"
    assert "<b>Wrong.</b> a &lt; b<br>not c" in result._repr_html_()
    assert OUTCOMES == ("not attempted", "wrong", "right")
    with pytest.raises(ValueError, match="not attempted, wrong, right"):
        Result("nearly", "")


def test_a_learners_own_error_is_theirs_with_its_arguments():
    def lora_parameters(d_in, d_out, r):
        return [1, 2][r]

    result = exercise("02_lora_parameters", "q1", {"lora_parameters": lora_parameters}).check()
    assert result.outcome == "wrong"
    assert result.message.startswith(
        "your code raised IndexError: list index out of range\nin lora_parameters(2048, 2048, 8), line "
    )
    assert "return [1, 2][r]" in result.message


def test_what_a_learners_function_changes_stays_its_own():
    def mask_labels(input_ids, prompt_length, pad_id):
        input_ids[:prompt_length] = [-100] * prompt_length
        return [-100 if token == pad_id else token for token in input_ids]

    one = exercise("04_sft_chartqa", "q1", {"mask_labels": mask_labels})
    assert one.check()
    assert one.check()


def test_progress_is_kept_in_a_file_and_survives_a_damaged_one(capsys):
    solved = exercise("05_dpo_preferences", "q2", {"loss": 0.6931})
    assert solved.check()
    assert exercise("05_dpo_preferences", "q2", {"loss": 1}).check().outcome == "wrong"
    assert (progress().solved, progress().total) == (1, len(QUESTIONS))
    assert "05_dpo_preferences       1 of 5   q1. q2* q3. q4. q5." in str(progress())
    assert "q2 solved" in progress()._repr_html_()
    progress_file().write_text("{")
    assert progress().solved == 0
    assert solved.check()
    assert progress().solved == 1


def test_unknown_names_say_which_there_are():
    with pytest.raises(ValueError, match="00_meet_the_model"):
        open_exercises("0_meet", {})
    with pytest.raises(ValueError, match="magpie"):
        read_run("eagle")


# Source, index, runs.


def test_generated_files_fit_their_source():
    assert out_of_step(EXERCISES) == [], "run `make exercises`, and change the source, not what is generated from it"
    assert (EXERCISES / "README.md").read_text(encoding="utf-8") == index_of(sorted(SOURCE.glob("*.ipynb")))
    assert (
        [path.stem for path in sorted(SOURCE.glob("*.ipynb"))]
        == [path.stem for path in sorted(SOLUTIONS.glob("*.ipynb"))]
        == NOTEBOOKS
    )


def test_a_changed_file_is_noticed(tmp_path):
    copy = tmp_path / "exercises"
    shutil.copytree(EXERCISES, copy)
    assert out_of_step(copy) == []
    for name in (
        "00_meet_the_model.ipynb",
        "solutions/03_batch_size_memory.ipynb",
        "source/05_dpo_preferences.ipynb",
        "README.md",
    ):
        (copy / name).write_text((copy / name).read_text(encoding="utf-8").replace("e", "E", 1), encoding="utf-8")
    (copy / "solutions" / "07_scaling_out.ipynb").unlink()
    assert out_of_step(copy) == [
        "00_meet_the_model.ipynb", "README.md", "solutions/03_batch_size_memory.ipynb", "solutions/07_scaling_out.ipynb",
        "source/05_dpo_preferences.ipynb",
    ]  # fmt: skip


def test_size_and_kinds():
    entries = [entry for of_one in ENTRIES.values() for entry in of_one]
    kinds = [entry.kind for entry in entries]
    assert len(entries) >= 28
    assert set(kinds) == set(KINDS)
    assert kinds.count("diagnose a run") >= 6
    assert all(3 <= len(of_one) <= 5 for of_one in ENTRIES.values())
    assert sorted(NOTEBOOKS) == NOTEBOOKS
    assert [lesson.name for lesson in find_lessons() if not lesson.name.startswith("bonus_")] == NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_each_exercise_opens_with_its_header_and_counts_by_difficulty(notebook):
    cells = nbformat.read(SOURCE / f"{notebook}.ipynb", as_version=4).cells
    points = [c.metadata.nbgrader.points for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert [f"q{entry.number}" for entry in ENTRIES[notebook]] == list(questions_of(notebook))
    assert points == [entry.difficulty for entry in ENTRIES[notebook]]


def test_the_index_refuses_an_exercise_without_its_header(tmp_path):
    path = tmp_path / "09_new.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## 1 · New\n\nDo something.")])
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match="must be followed by"):
        entries_of(path)


def test_the_runs_show_what_they_are_diagnosed_with():
    """What makes each diagnosis the right one, in the committed logs."""
    heron, magpie, plover, kestrel, petrel, curlew, dunlin, wigeon, avocet, turnstone = map(
        read_run, ("heron", "magpie", "plover", "kestrel", "petrel", "curlew", "dunlin", "wigeon", "avocet", "turnstone")
    )
    assert heron.facts["accuracy_after"] > magpie.facts["accuracy_after"] + 0.1
    assert magpie.log["loss"].iloc[-1] < magpie.log["loss"].iloc[0]
    assert {*plover.log["loss"], *plover.log["grad_norm"]} == {0.0}
    assert max(plover.facts["tokens_of_examples"]) > plover.facts["max_length"]
    assert any("vision_model" in name for name in kestrel.facts["adapter_tensors"])
    assert petrel.log["rewards/accuracies"].iloc[-1] > 0.6
    assert petrel.log["rewards/margins"].iloc[-1] > 1
    assert petrel.facts["learning_rate"] == 100 * curlew.facts["learning_rate"]
    assert petrel.facts["accuracy_after"] <= petrel.facts["accuracy_before"] / 2 < curlew.facts["accuracy_after"]
    assert petrel.log["rewards/chosen"].max() < -2 < 0 < curlew.log["rewards/chosen"].min()
    others = ("loss", "rewards/accuracies", "rewards/margins", "rewards/rejected")  # no other column is on either side of 0
    assert all(curlew.log[column].iloc[-1] * petrel.log[column].iloc[-1] > 0 for column in others)
    assert {*dunlin.log["rewards/margins"], *dunlin.log["rewards/accuracies"], *dunlin.log["rewards/chosen"]} == {0.0}
    assert list(dunlin.log["logps/chosen"]) == list(dunlin.log["logps/rejected"])
    assert dunlin.log["logps/chosen"].nunique() > 1
    seen = {picture for picture, _ in wigeon.facts["training_rows"]}
    assert sum(picture in seen for picture, _ in wigeon.facts["test_rows"]) >= len(wigeon.facts["test_rows"]) / 2
    assert len(avocet.log) * avocet.facts["per_device_train_batch_size"] == avocet.facts["rows"]
    jackdaw, shrike = map(read_run, ("jackdaw", "shrike"))
    assert jackdaw.log["reward"].iloc[-1] > jackdaw.log["reward"].iloc[0] + 0.1
    assert jackdaw.log["completions/clipped_ratio"].iloc[-1] > 0.5
    assert jackdaw.facts["accuracy_after"] <= jackdaw.facts["accuracy_before"] / 3
    assert {*shrike.log["reward"], *shrike.log["grad_norm"], *shrike.log["loss"]} == {0.0}
    assert {*shrike.log["frac_reward_zero_std"]} == {1.0}
    said_right = [said for said, label in shrike.facts["answers"] if said.strip().lower() == label.lower()]
    assert said_right
    assert all(said.startswith(" ") for said in said_right)
    assert list(turnstone.log["service"]) == list(turnstone.log["base"]) != list(turnstone.log["notebook"])
    assert turnstone.facts["accuracy_service"] < turnstone.facts["accuracy_notebook"] - 0.3
    assert {run.stem for run in RUNS.glob("*.json")} == {
        "heron", "magpie", "plover", "kestrel", "petrel", "curlew", "dunlin", "wigeon", "avocet", "turnstone",
        "jackdaw", "shrike",
    }  # fmt: skip


def test_as_many_lines_of_the_broken_settings_stop_with_an_error_as_the_explanations_say(tmp_path):
    """04.4: two, both of older libraries, and two do not. 08.3: one. 07.1: none as handed out, one with LoRA on."""
    sft, grpo, cli = questions_04.BROKEN, questions_08.BROKEN, questions_07.BROKEN
    for name in ("warmup_ratio", "evaluation_strategy"):
        with pytest.raises(TypeError, match=name):
            SFTConfig(tmp_path, **{name: sft[name]}, bf16=False, use_cpu=True)
    assert SFTConfig(tmp_path, max_length=sft["max_length"], bf16=sft["bf16"], use_cpu=True).bf16

    with pytest.raises(ValueError, match="must be divisible by num_generations"):
        GRPOConfig(tmp_path, **grpo, bf16=False, use_cpu=True)
    assert GRPOConfig(tmp_path, **grpo | {"per_device_train_batch_size": 8}, bf16=False, use_cpu=True).temperature == 0.01
    assert TemperatureLogitsWarper(grpo["temperature"]).temperature == 0.01
    with pytest.raises(ValueError, match="strictly positive"):
        TemperatureLogitsWarper(0.0)

    targets = [cli["lora_target_modules"]]  # a list of one is what TRL's parser makes of it
    assert get_peft_config(ModelConfig(use_peft=cli["use_peft"], lora_target_modules=targets)) is None
    with pytest.raises(ValueError, match="not found in the base model"):
        count_parameters("embedded", get_peft_config(ModelConfig(use_peft=True, lora_r=8, lora_target_modules=targets)))
    assert ModelConfig().lora_r == 16


@pytest.mark.parametrize(("notebook", "name"), QUESTIONS)
def test_what_a_diagnosis_asks_for_only_later_does_not_stand_in_the_notebook(notebook, name):
    asks = getattr(questions_of(notebook)[name].check, "asks", "")
    if asks:
        handed_out = " ".join(
            "\n".join(c.source for c in nbformat.read(EXERCISES / f"{notebook}.ipynb", as_version=4).cells).split()
        )
        assert asks.rstrip(".") not in handed_out
        assert f"`{name}.check()` says which one, once the cause is right" in handed_out


def test_no_run_is_named_after_its_cause():
    words = {word for cause in CAUSES for word in cause.split()}
    assert not words & {run.stem for run in RUNS.glob("*.json")}

"""A run's folder can be moved: an adapter finds the model that it belongs to beside it."""

import shutil

import pytest
from peft import LoraConfig, get_peft_model

from helpers.__main__ import main
from helpers.course import ask, base_of, made_by, note_base
from helpers.models import load_model
from helpers.paths import EMBEDDED, EMBEDDED_MODEL


@pytest.fixture
def run_folder(tmp_path):
    """What lessons 04 and 05 leave, made up: a merged model and an adapter that starts from it."""
    run = tmp_path / "run"
    merged, adapter = run / "04_sft_chartqa" / "merged", run / "05_dpo_preferences" / "adapter"
    shutil.copytree(EMBEDDED_MODEL, merged)
    lora = LoraConfig(r=2, target_modules=r".*text_model.*\.q_proj", task_type="CAUSAL_LM")
    get_peft_model(load_model(str(merged)), lora).save_pretrained(str(adapter))
    note_base(adapter, str(merged))
    return run


@pytest.fixture
def chart(tmp_path):
    from helpers.data import load_chartqa

    load_chartqa("embedded", "test", 1)[0]["image"].save(tmp_path / "chart.png")
    return str(tmp_path / "chart.png")


def test_a_run_that_was_moved_can_be_asked(run_folder, chart, tmp_path, capsys):
    before = ask(chart, "What is the highest value?", adapter=str(run_folder / "05_dpo_preferences" / "adapter"))
    shutil.move(run_folder, tmp_path / "moved")
    adapter = str(tmp_path / "moved" / "05_dpo_preferences" / "adapter")
    assert main(["ask", chart, "What is the highest value?", "--adapter", adapter]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == before


@pytest.mark.parametrize("model", ["embedded", "owner/name@0123abc", str(EMBEDDED), "models/of/mine", "../../models"])
def test_other_models_are_named_as_they_were_given(tmp_path, model):
    adapter = tmp_path / "run" / "04_sft_chartqa" / "adapter"
    adapter.mkdir(parents=True)
    note_base(adapter, model)
    assert (adapter / "base_model.txt").read_text() == model
    assert base_of(adapter) == model


def test_the_absolute_path_that_older_runs_hold_is_read(run_folder):
    adapter, merged = run_folder / "05_dpo_preferences" / "adapter", run_folder / "04_sft_chartqa" / "merged"
    assert (adapter / "base_model.txt").read_text() == "../../04_sft_chartqa/merged"
    (adapter / "base_model.txt").write_text(str(merged))
    assert base_of(adapter) == str(merged)


def test_what_was_made_from_another_model_is_not_gone_on_from(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OUT", str(tmp_path))
    adapter = tmp_path / "04_sft_chartqa" / "adapter"
    adapter.mkdir(parents=True)
    note_base(adapter, "owner/name@0123abc")
    assert made_by("04_sft_chartqa", "adapter", "tiny", "owner/name@0123abc") == adapter
    with pytest.raises(ValueError, match=r"belongs to owner/name@0123abc.*about embedded: run python .* --set MODEL=embedded"):
        made_by("04_sft_chartqa", "adapter", "tiny", "embedded")


def test_what_holds_no_adapter_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no adapter"):
        base_of(tmp_path)

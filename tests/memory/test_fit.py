"""From three dry runs to all batch sizes and tiles: the plan says what a dry run of its own says."""

import pytest
from peft import LoraConfig

from helpers.memory import MemoryPlan, estimate_training_memory, plan_memory, plan_methods, what_fits

METHODS = {
    "full": {"precision": "float32"},
    "lora": {"lora": LoraConfig(r=8, target_modules=["q_proj", "v_proj"])},
    "checkpointed": {"lora": LoraConfig(r=8, target_modules=["q_proj", "v_proj"]), "activation_checkpointing": True},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_plan_says_what_a_dry_run_says(method):
    plan = plan_memory("embedded", **METHODS[method])
    for batch_size, tiles in ((6, 5), (1, 2)):
        direct = estimate_training_memory("embedded", batch_size=batch_size, image_tiles=tiles, **METHODS[method]).total
        assert plan.total(batch_size, tiles) == pytest.approx(direct, rel=0.02)


def test_plans_side_by_side_are_the_plans_one_by_one():
    plans = plan_methods("embedded", METHODS)
    assert list(plans) == list(METHODS)
    assert plans["checkpointed"] == plan_memory("embedded", **METHODS["checkpointed"])
    assert plans["checkpointed"] != plans["lora"]


def test_the_largest_batch_fits_and_one_more_does_not():
    plan = MemoryPlan(floor=5e9, fixed=2e9, per_example=1e9, per_tile=2e9)
    assert plan.largest_batch(12e9, image_tiles=2) == 2
    assert plan.total(2, 2) <= 12e9 < plan.total(3, 2)
    assert plan.largest_batch(4e9, image_tiles=1) == 0, "what fits must have room for the optimizer's step"
    assert what_fits({"one": plan}, gpu_gb=13, image_tiles=2, spare_gb=1)["largest batch"].tolist() == [2]
    assert what_fits({"one": plan}, gpu_gb=5, image_tiles=2, spare_gb=1)["fits"].tolist() == ["not even one example"]


def test_nothing_to_spare_is_an_error():
    with pytest.raises(ValueError, match="smaller spare_gb"):
        what_fits({}, gpu_gb=1, image_tiles=1)

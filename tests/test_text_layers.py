"""The text layers' pattern and the vision tower: every linear layer of the text model, and nothing of the other parts."""

import re

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, LlamaConfig

from helpers.lora import text_layers
from helpers.models import ARCHITECTURES, component_of, load_config, load_model, meta_model, vision_tower
from tests.test_lora import FAMILIES

OLD = r".*text_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"  # in the lessons until there were others
SOURCES = {name: config for name, (config, _) in FAMILIES.items()} | {name: name for name in ("embedded", *ARCHITECTURES)}


@pytest.mark.parametrize("which", SOURCES)
def test_all_linear_layers_of_the_text_model_and_nothing_else(which):
    model = meta_model(load_config(SOURCES[which]))
    decoder = model.get_decoder()
    inside = {id(module) for module in decoder.modules()}
    pattern, few = text_layers(SOURCES[which]), text_layers(SOURCES[which], ("q_proj", "v_proj"))
    hit = {name: module for name, module in model.named_modules() if re.fullmatch(pattern, name)}
    assert all(isinstance(module, nn.Linear) and id(module) in inside for module in hit.values())
    assert len(hit) == sum(isinstance(module, nn.Linear) for module in decoder.modules())
    assert {component_of(name) for name in hit} == {"text"}
    scoped = {name for name in hit if re.fullmatch(few, name)}
    assert scoped == {name for name in hit if name.endswith(("q_proj", "v_proj"))} != set()

    tower = {id(parameter) for parameter in vision_tower(model).parameters()}
    places = {component_of(name) for name, parameter in model.named_parameters() if id(parameter) in tower}
    assert "vision" in places
    assert places <= {"vision", "connector"}  # Qwen's merger lies inside the tower


def test_the_embedded_models_adapters_start_as_with_the_pattern_of_before():
    """The order of the layers decides which random numbers each gets."""

    def start(pattern):
        model = load_model("embedded")
        torch.manual_seed(0)
        return get_peft_model(model, LoraConfig(r=4, target_modules=pattern, task_type="CAUSAL_LM")).state_dict()

    old, new = start(OLD), start(text_layers("embedded"))
    assert list(old) == list(new)
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_kinds_that_are_not_there_are_named():
    with pytest.raises(ValueError, match=r"no layers called query; there are q_proj, k_proj, .*down_proj"):
        text_layers("embedded", ("q_proj", "query"))
    with pytest.raises(ValueError, match="no kind of layers is asked for"):
        text_layers("embedded", ())
    assert text_layers("embedded", "q_proj") == text_layers("embedded", ["q_proj"])


def test_a_name_that_means_something_else_elsewhere_is_told_apart(monkeypatch):
    """``proj`` is a linear layer in one place of this text model, and a module with one inside in another."""
    model = nn.Module()
    model.text = nn.Module()
    model.text.layers = nn.ModuleList([nn.ModuleDict({"proj": nn.Linear(2, 2), "mlp": nn.ModuleDict({"proj": nn.Identity()})})])
    model.get_decoder = lambda: model.text
    monkeypatch.setattr("helpers.lora.meta_model", lambda config: model)
    monkeypatch.setattr("helpers.lora.load_config", lambda config: config)
    pattern = text_layers("any")
    assert [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)] == ["text.layers.0.proj"]
    assert re.fullmatch(pattern, "text.layers.17.proj")


def test_the_tower_is_found_below_peft_and_one_that_is_not_there_is_refused(model):
    lora = LoraConfig(r=2, target_modules=text_layers("embedded"), task_type="CAUSAL_LM")
    wrapped = get_peft_model(load_model("embedded"), lora)
    assert vision_tower(wrapped) is wrapped.get_base_model().model.vision_model
    assert vision_tower(model) is model.model.vision_model
    with torch.device("meta"):
        text_only = AutoModelForCausalLM.from_config(LlamaConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1))
    with pytest.raises(ValueError, match="LlamaForCausalLM has no vision tower of its own"):
        vision_tower(text_only)


@pytest.mark.parametrize(("family", "text"), [("blip-2", "opt"), ("blip-2", "t5"), ("kosmos-2", None)])
def test_a_decoder_that_is_a_whole_language_model_gives_its_layers_without_the_head(family, text):
    config = CONFIG_MAPPING[family](**({"text_config": CONFIG_MAPPING[text]()} if text else {}))
    model, pattern = meta_model(config), text_layers(config)
    head = model.get_output_embeddings()
    hit = [module for name, module in model.named_modules() if re.fullmatch(pattern, name)]
    layers = [module for module in model.get_decoder().modules() if isinstance(module, nn.Linear) and module is not head]
    assert {id(module) for module in hit} == {id(module) for module in layers}

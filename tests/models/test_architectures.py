"""The released architectures as data: the same as their published facts, and whatever else a config can come from."""

import json
import subprocess
import sys

import pytest
from peft import LoraConfig
from torch import nn
from transformers import CONFIG_MAPPING, LlamaConfig, PaliGemmaConfig

from helpers.lora import count_parameters, text_layers
from helpers.memory import weight_bytes
from helpers.models import ARCHITECTURES, COMPONENTS, component_of, find_model, load_config, meta_model
from helpers.paths import EMBEDDED_MODEL, ROOT


def parameters(config) -> int:
    return sum(parameter.numel() for parameter in meta_model(config).parameters())


def flat(config: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_data_says_what_the_published_config_says(shared, name):
    """Every fact of the published file that transformers has a place for is the same here; shapes are, tensor by tensor."""
    published = load_config(shared / "published" / "configs" / f"{name.replace('/', '__')}.json")
    ours = load_config(name)
    assert type(ours) is type(published)
    known = flat(ours.to_dict())
    differing = {key for key, value in flat(published.to_dict()).items() if known.get(key, value) != value}
    assert differing <= {"text_config.architectures"}  # the class of the text model alone, which nothing here builds
    shapes = [[(n, p.shape, p.dtype) for n, p in meta_model(config).named_parameters()] for config in (ours, published)]
    assert shapes[0] == shapes[1]


NAMES = {
    "SmolVLM2-2.2B", "SmolVLM2-500M", "SmolVLM2-256M", "SmolVLM", "SmolVLM-500M", "SmolVLM-256M", "Qwen2-VL-2B", "Qwen2-VL-7B",
    "Qwen2.5-VL-3B", "Qwen2.5-VL-7B", "Qwen3-VL-2B", "Qwen3-VL-8B", "gemma-3-4b", "idefics2-8b", "Idefics3-8B", "pixtral-12b",
    "llava-1.5-7b",
}  # fmt: skip


def test_all_are_there_under_the_names_that_people_type():
    found = {find_model(name, ARCHITECTURES) for name in NAMES}
    assert found == set(ARCHITECTURES)
    assert len(found) == len(NAMES) == 17


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_builds_without_weights_and_is_counted(name):
    """The two counts are made in different ways: bytes of all weights, and a LoRA's layers by their shapes."""
    config = load_config(name)
    model = meta_model(config)
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert weight_bytes(config, "bfloat16").total == 2 * weights
    inside = [layer for layer in model.get_decoder().modules() if isinstance(layer, nn.Linear)]
    counted = count_parameters(config, LoraConfig(r=2, target_modules=text_layers(config)))
    assert counted.trainable == sum(2 * (layer.in_features + layer.out_features) for layer in inside)
    assert counted.total == weights + counted.trainable
    assert {part for part, count in counted.by_component.items() if count} == {"text"}


def test_names_need_neither_owner_nor_capitals():
    full = load_config("Qwen/Qwen2-VL-7B-Instruct").to_dict()
    assert load_config("Qwen2-VL-7B-Instruct").to_dict() == load_config("qwen2-vl-7b").to_dict() == full


def test_a_config_comes_from_a_file_its_folder_a_dict_or_an_object(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a relative path counts from the repository root
    file = EMBEDDED_MODEL / "config.json"
    sources = (
        "embedded", file, str(file), EMBEDDED_MODEL, "helpers/embedded/tiny_smolvlm/config.json", json.loads(file.read_text()),
        load_config(file),
    )  # fmt: skip
    assert {parameters(load_config(source)) for source in sources} == {parameters(load_config("embedded"))}


def test_a_dict_is_left_as_it_was():
    data = json.loads((EMBEDDED_MODEL / "config.json").read_text())
    before = json.dumps(data)
    load_config(data)
    assert json.dumps(data) == before


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("SmolVLM3", "HuggingFaceTB/SmolVLM2-2.2B-Instruct.*config.json.*owner/name"),
        ("SmolVLM2-2.3B-Instruct", "Did you mean SmolVLM2-2.2B-Instruct"),
        ("nobody/nothing", "There are: .*Qwen/Qwen2-VL-2B-Instruct"),
        ("nowhere/config.json", "There are"),
        ({}, "model_type is None"),
        ({"model_type": "smolvl"}, "near: smolvlm"),
    ],
)
def test_an_unknown_source_says_what_is_possible(source, says):
    with pytest.raises(ValueError, match=says):
        load_config(source)


def test_a_file_that_is_no_config_is_named(tmp_path):
    for text in ("not JSON", "[1, 2]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"config\.json"):
            load_config(tmp_path)


def test_a_language_model_is_refused_with_the_models_that_see():
    with pytest.raises(ValueError, match="SmolVLMConfig"):
        meta_model(LlamaConfig())


def test_tied_weights_are_one_tensor_on_the_meta_device():
    model = meta_model(load_config("Qwen2-VL-2B"))
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


FAMILIES = {  # a parameter of each component, as the model of that type names it
    "smolvlm": ("vision_model", "connector"),
    "idefics2": ("vision_model", "connector"),
    "idefics3": ("vision_model", "connector"),
    "llava": ("vision_tower", "multi_modal_projector"),
    "llava_next": ("vision_tower", "multi_modal_projector"),
    "paligemma": ("vision_tower", "multi_modal_projector"),
    "gemma3": ("vision_tower", "multi_modal_projector"),
    "mistral3": ("vision_tower", "multi_modal_projector"),
    "internvl": ("vision_tower", "multi_modal_projector"),
    "qwen2_vl": ("visual", "visual.merger"),
    "qwen2_5_vl": ("visual", "visual.merger"),
    "qwen3_vl": ("visual", "visual.merger"),
    "blip-2": ("vision_model", "qformer"),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_components_of_every_family(kind):
    model = meta_model(CONFIG_MAPPING[kind]())
    names = [name for name, _ in model.named_parameters()]
    found = {component: {n for n in names if component_of(n) == component} for component in COMPONENTS}
    vision, connector = FAMILIES[kind]
    assert found["connector"]
    assert any(f"{connector}." in name for name in found["connector"])
    assert all(f"{vision}." in name for name in found["vision"])
    assert {n for n in names if f"{vision}." in n and f"{connector}." not in n} - found["connector"] == found["vision"]
    assert not any(name.startswith(("model.language_model", "model.text_model")) for name in names if name not in found["text"])
    assert found["head"] <= {name for name in names if "lm_head" in name}


def test_paligemma_by_component_is_what_its_sizes_say():
    config = PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "image_size": 28, "patch_size": 14, "vision_use_head": False},
        text_config={"model_type": "gemma", "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 1,
                     "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 12, "vocab_size": 100},
        projection_dim=48,
    )  # fmt: skip
    counted = dict.fromkeys(COMPONENTS, 0)
    for name, parameter in meta_model(config).named_parameters():
        counted[component_of(name)] += parameter.numel()
    assert counted == {
        "vision": (3 * 14 * 14 * 32 + 32 + 4 * 32) + 4 * (32 * 32 + 32) + (2 * 32 * 64 + 64 + 32) + 3 * 2 * 32,
        "connector": 32 * 48 + 48,
        "text": 100 * 48 + (2 * 48 * 48 + 2 * 48 * 12) + 3 * 48 * 96 + 3 * 48,
        "head": 0,  # tied to the embedding, which is counted under text
    }


def test_opening_a_config_needs_no_network_and_no_hub_cache(tmp_path):
    code = "from helpers.models import ARCHITECTURES, load_config; [load_config(n) for n in ARCHITECTURES]"
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": "", "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment).returncode == 0

"""What LoRA trains: published lines to the digit, hand-computed counts for other families, and names that match too much."""

import json
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForImageTextToText,
    Gemma3Config,
    Idefics2Config,
    LlavaConfig,
    LlavaNextConfig,
    PaliGemmaConfig,
    Qwen2_5_VLConfig,
    Qwen3VLConfig,
)

from helpers.lora import count_model, count_parameters
from helpers.models import COMPONENTS, load_config, load_model, meta_model
from helpers.paths import ROOT

SCOPED = r".*text_model.*\.(q_proj|v_proj)"
PUBLISHED = [
    "smolvlm_instruct_dora_cookbook_sft_dpo", "smolvlm_base_qlora_nodora", "smolvlm_instruct_qv_smolcourse",
    "qwen2vl7b_qv_cookbook", "qwen25vl3b_qv_grpo", "qwen25vl3b_dora_mpo", "qwen25vl3b_all7_r8", "qwen2vl2b_qkvo_r8",
]  # fmt: skip


@pytest.mark.parametrize("which", PUBLISHED)
def test_published_lines_to_the_digit(shared, which):
    (entry,) = [e for e in json.loads((shared / "published" / "lora_counts.json").read_text())["entries"] if e["id"] == which]
    published = entry["published"]
    for source in (entry["config"].replace("__", "/"), shared / "published" / "configs" / f"{entry['config']}.json"):
        count = count_parameters(source, LoraConfig(**entry["lora"]))
        assert (count.trainable, count.total) == (published["trainable"], published["all"])
        assert count.percent == pytest.approx(100 * count.trainable / count.total)
        if published["percent"]:
            assert str(count).endswith(f"trainable%: {published['percent']:.4f}")


def test_all_published_lines_are_in_the_list_above(shared):
    entries = json.loads((shared / "published" / "lora_counts.json").read_text())["entries"]
    assert [entry["id"] for entry in entries] == PUBLISHED


def test_a_model_of_eight_billion_takes_seconds_and_no_memory():
    code = (
        "import psutil, time; from peft import LoraConfig; from helpers.lora import count_parameters;"
        "before, began = psutil.Process().memory_info().rss, time.perf_counter();"
        "count_parameters('Qwen2-VL-7B', LoraConfig(target_modules='all-linear', use_dora=True));"
        "print(time.perf_counter() - began, psutil.Process().memory_info().rss - before)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, grown = map(float, out.split()[-2:])
    assert seconds < 30
    assert grown < 1e9


# Small models of other families, whose counts can be written down: r * (d_in + d_out) for each layer that is adapted.
R, D, KV, VISION, HIDDEN = 4, 64, 32, 48, 96
TEXT = {"hidden_size": D, "intermediate_size": HIDDEN, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 200}  # fmt: skip
SIGLIP = {"model_type": "siglip_vision_model", "hidden_size": VISION, "intermediate_size": 80, "num_hidden_layers": 2,
          "num_attention_heads": 4, "image_size": 28, "patch_size": 14, "vision_use_head": False}  # fmt: skip
CLIP = {key: value for key, value in SIGLIP.items() if key != "vision_use_head"} | {"model_type": "clip_vision_model"}
QWEN_TEXT = TEXT | {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}}
QWEN_VISION = {"depth": 2, "hidden_size": VISION, "intermediate_size": 80, "num_heads": 4, "out_hidden_size": D}
QV_TEXT = 3 * (R * (D + D) + R * (D + KV))  # q_proj and v_proj of the three text layers
QV_VISION = 2 * 2 * R * (VISION + VISION)  # q_proj and v_proj of the two vision layers, where they have that name

FAMILIES = {
    "llava": (LlavaConfig(text_config={"model_type": "llama"} | TEXT, vision_config=CLIP), QV_VISION),
    "llava_next": (LlavaNextConfig(text_config={"model_type": "llama"} | TEXT, vision_config=CLIP), QV_VISION),
    "paligemma": (PaliGemmaConfig(text_config=TEXT | {"model_type": "gemma"},
                                  vision_config=SIGLIP, projection_dim=D), QV_VISION),
    "gemma3": (Gemma3Config(text_config=TEXT, vision_config=SIGLIP, mm_tokens_per_image=4), QV_VISION),
    # Qwen's vision tower joins the three projections into one layer, qkv.
    "qwen2_5_vl": (Qwen2_5_VLConfig(text_config=QWEN_TEXT, vision_config=QWEN_VISION), 0),
    "qwen3_vl": (Qwen3VLConfig(text_config=QWEN_TEXT, vision_config=QWEN_VISION | {"deepstack_visual_indexes": [0]}), 0),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_by_hand(family):
    config, vision = FAMILIES[family]
    count = count_parameters(config, LoraConfig(r=R, target_modules=["q_proj", "v_proj"]))
    assert count.by_component == {"vision": vision, "connector": 0, "text": QV_TEXT, "head": 0}
    assert count.trainable == sum(count.by_module.values()) == vision + QV_TEXT
    assert len(count.modules("text")) == 6
    assert len(count.modules("vision")) == (4 if vision else 0)
    scoped = count_parameters(config, LoraConfig(r=R, target_modules=r".*language_model.*\.(q_proj|v_proj)"))
    assert scoped.by_component["vision"] == 0
    assert scoped.trainable == QV_TEXT
    base = AutoModelForImageTextToText.from_config(config).num_parameters()
    assert count.total - count.trainable == scoped.total - scoped.trainable == base


def test_qwens_vision_tower_is_reached_by_the_names_of_the_feed_forward_layers():
    config, _ = FAMILIES["qwen2_5_vl"]
    count = count_parameters(config, LoraConfig(r=R, target_modules=["gate_proj", "up_proj", "down_proj"]))
    assert count.by_component["vision"] == 2 * 3 * R * (VISION + 80)
    assert count.by_component["text"] == 3 * 3 * R * (D + HIDDEN)


def test_idefics2_also_adapts_its_connector():
    """The perceiver between tower and text model has layers of these names too: a naive list reaches all three parts."""
    config = Idefics2Config(
        text_config={"model_type": "mistral", **TEXT},
        vision_config={key: SIGLIP[key] for key in SIGLIP if key not in ("model_type", "vision_use_head")},
        perceiver_config={"hidden_size": D, "resampler_depth": 1, "resampler_n_heads": 2, "resampler_head_dim": 16,
                          "num_key_value_heads": 1, "resampler_n_latents": 4},
    )  # fmt: skip
    count = count_parameters(config, LoraConfig(r=R, target_modules=["q_proj", "v_proj"]))
    assert count.by_component == {"vision": QV_VISION, "connector": R * (D + 32) + R * (D + 16), "text": QV_TEXT, "head": 0}


@pytest.mark.parametrize("name", ["SmolVLM2-2.2B", "SmolVLM2-500M", "SmolVLM2-256M", "SmolVLM", "embedded"])
def test_a_naive_list_reaches_the_vision_tower_and_the_pattern_does_not(name):
    layers = load_config(name).vision_config.num_hidden_layers
    naive = count_parameters(name, LoraConfig(target_modules=["q_proj", "v_proj"]))
    assert len(naive.modules("vision")) == 2 * layers
    scoped = count_parameters(name, LoraConfig(target_modules=SCOPED))
    assert scoped.modules("vision") == []
    assert scoped.by_component["text"] == naive.by_component["text"] == scoped.trainable


def embedded(**settings):
    return count_parameters("embedded", LoraConfig(**{"r": R, "target_modules": SCOPED} | settings))


def test_whatever_a_lora_config_can_say():
    plain, layers, wide = embedded(), 4, 128
    assert plain.trainable == 2 * layers * R * 2 * wide
    assert embedded(use_dora=True).trainable == plain.trainable + 2 * layers * wide  # one magnitude for each output
    assert embedded(r=8).trainable == 2 * plain.trainable
    assert embedded(rank_pattern={"v_proj": 2 * R}).trainable == 1.5 * plain.trainable
    assert embedded(target_modules=["o_proj"], layers_to_transform=[0, 2]).trainable == 2 * R * 2 * wide
    assert embedded(exclude_modules=r".*layers\.0\..*").trainable == plain.trainable * 3 / 4
    vocabulary = load_config("embedded").text_config.vocab_size
    saved = embedded(modules_to_save=["lm_head"])
    assert saved.by_component["head"] == vocabulary * wide  # a trained copy of the tied weight
    assert saved.total == plain.total + vocabulary * wide
    assert saved.by_module["lm_head"] == vocabulary * wide
    everything = embedded(target_modules="all-linear")
    assert everything.by_component["connector"] == R * (4 * wide + wide)
    assert everything.by_component["head"] == 0


@pytest.mark.parametrize("start", ["gaussian", "pissa", "pissa_niter_4", "olora", "orthogonal", True, False])
def test_the_start_of_the_adapters_changes_no_count(start):
    assert embedded(init_lora_weights=start).trainable == embedded().trainable


def test_the_config_given_stays_as_it_was():
    config = LoraConfig(target_modules="all-linear", init_lora_weights="pissa")
    before = json.dumps(config.to_dict(), default=str)
    count_parameters("embedded", config)
    assert json.dumps(config.to_dict(), default=str) == before


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
def test_a_loaded_model_is_counted_as_its_config_is(quantization):
    """4-bit weights are packed two to a byte: their own numel() would be half of what they stand for."""
    lora = LoraConfig(r=R, target_modules=SCOPED, task_type="CAUSAL_LM")
    expected = count_parameters("embedded", lora)
    model = load_model("embedded", quantization=quantization)
    bare = count_model(model)
    assert bare.total == expected.total - expected.trainable
    wrapped = get_peft_model(model, lora)
    counted = count_model(wrapped)
    assert counted == expected
    assert (counted.trainable, counted.total) == wrapped.get_nb_trainable_parameters()
    if quantization == "4bit":
        assert sum(parameter.numel() for parameter in wrapped.parameters()) < counted.total


def test_four_bit_weights_stored_as_a_wider_type_are_counted_alike():
    import bitsandbytes as bnb

    for storage in (torch.uint8, torch.bfloat16, torch.float32):
        layer = bnb.nn.Linear4bit(128, 64, bias=False, quant_type="nf4", quant_storage=storage)
        layer.load_state_dict({"weight": torch.randn(64, 128)})
        assert count_model(layer.to("cpu")).total == 64 * 128, storage


def test_a_plain_model_trains_what_requires_grad():
    model = load_model("embedded").requires_grad_(False)
    model.model.connector.requires_grad_(True)
    count = count_model(model)
    assert count.by_component == {"vision": 0, "connector": 4 * 128 * 128, "text": 0, "head": 0}
    assert set(count.by_component) == set(COMPONENTS)


def test_a_parameter_outside_any_layer_is_in_its_component_too():
    """LLaVA-NeXT's vector that ends a line of image features belongs to no module but the model itself."""
    model = meta_model(FAMILIES["llava_next"][0])
    model.requires_grad_(False)
    model.model.image_newline.requires_grad_(True)
    assert count_model(model).by_component == {"vision": 0, "connector": D, "text": 0, "head": 0}


@pytest.mark.parametrize("targets", [["nope"], ".*nope.*", None, ["self_attn"]])
def test_targets_that_match_nothing_say_what_there_is(targets):
    with pytest.raises(ValueError, match=r"linear layers.*vision: .*q_proj \(4\).*text: .*gate_proj \(4\)"):
        count_parameters("embedded", LoraConfig(target_modules=targets))


def test_an_unknown_architecture_says_what_there_is():
    with pytest.raises(ValueError, match=r"There are: HuggingFaceTB/SmolVLM2-2\.2B-Instruct"):
        count_parameters("SmolVLM3", LoraConfig(target_modules=["q_proj"]))

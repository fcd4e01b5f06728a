"""The dry run of a training step against really measured ones: peaks, by an instrument that shares no code with it."""

import json
import subprocess
import sys
from itertools import product

import pytest
from peft import LoraConfig, get_peft_model

from helpers.data import load_chartqa
from helpers.lora import text_layers
from helpers.memory import LiveTensors, estimate_steps, estimate_training_memory, weight_bytes
from helpers.models import ARCHITECTURES, SHORT_ANSWER, chat, load_config, load_model
from helpers.paths import ROOT
from tests.memory.steps import peak_of_second_step

TARGET = 0.03  # what is promised
TOLERANCE = 0.005  # what is reached, and what it takes to see one gradient missing
TILES = {1: {}, 5: {"do_image_splitting": True, "size": {"longest_edge": 256}}}
SETTINGS = [
    (batch_size, tiles, checkpointing, lora)
    for (batch_size, tiles), checkpointing, lora in product([(1, 1), (4, 5), (16, 1)], [False, True], [False, True])
]


def lora_config():
    return LoraConfig(r=8, target_modules=["q_proj", "v_proj"])


def real_batch(processor, batch_size, tiles):
    """The processor's own batch of one question, many times: nothing is padded."""
    row = load_chartqa("embedded", "train", 1)[0]
    text = processor.apply_chat_template(chat(row["query"], SHORT_ANSWER))
    batch = dict(processor(text=[text] * batch_size, images=[[row["image"]]] * batch_size, return_tensors="pt", **TILES[tiles]))
    return batch | {"labels": batch["input_ids"].clone()}


def measured_peak(model, batch):
    return peak_of_second_step(model, batch, [*model.parameters(), *model.buffers()])


def measure_and_estimate(processor, batch_size, tiles, checkpointing, lora):
    batch = real_batch(processor, batch_size, tiles)
    model = load_model("embedded")
    if lora:
        model = get_peft_model(model, lora_config())
    if checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    image_tokens = int((batch["input_ids"][0] == processor.image_token_id).sum())
    estimate = estimate_training_memory(
        "embedded", lora=lora_config() if lora else None, precision="float32", batch_size=batch_size, image_tiles=tiles,
        text_tokens=batch["input_ids"].shape[1] - image_tokens, activation_checkpointing=checkpointing,
    )  # fmt: skip
    return measured_peak(model, batch), estimate


@pytest.mark.parametrize(("batch_size", "tiles", "checkpointing", "lora"), SETTINGS)
def test_the_peak_is_the_measured_one(processor, batch_size, tiles, checkpointing, lora):
    measured, estimate = measure_and_estimate(processor, batch_size, tiles, checkpointing, lora)
    print(f"measured {measured / 1e6:.3f} MB, dry run {estimate.total / 1e6:.3f} MB: {estimate.total / measured - 1:+.3%}")
    assert abs(estimate.total / measured - 1) < min(TARGET, TOLERANCE)


def test_one_forgotten_gradient_would_be_seen(processor, monkeypatch):
    """A planted error: the dry run lets go of one gradient, the first large one, as if nothing held it."""
    count, forgotten = LiveTensors.count, []

    def forgetful(self, tensor, kind="activations"):
        count(self, tensor, kind)
        if kind == "gradients" and not forgotten and tensor.nbytes > 100_000:
            forgotten.append(tensor.nbytes)
            self._forget(tensor.untyped_storage()._cdata)

    monkeypatch.setattr(LiveTensors, "count", forgetful)
    measured, estimate = measure_and_estimate(processor, 1, 1, True, False)
    assert len(forgotten) == 1
    assert abs(estimate.total / measured - 1) > TOLERANCE


def test_the_parts_are_what_they_should_be():
    full = estimate_training_memory("embedded", precision="float32")
    weights = weight_bytes("embedded", "float32")
    assert full.weights == weights.total
    assert full.by_component == weights.by_component
    assert full.optimizer == pytest.approx(2 * full.weights, rel=1e-3)  # two moments a weight, and a step count a tensor
    assert full.total == full.weights + full.adapters + full.gradients + full.optimizer + full.activations
    assert estimate_training_memory("embedded", precision="float32", optimizer="sgd").optimizer == 0

    lora = estimate_training_memory("embedded", lora=lora_config(), precision="bfloat16")
    count = sum(p.numel() for p in get_peft_model(load_model("embedded"), lora_config()).parameters() if p.requires_grad)
    assert lora.adapters == 4 * count  # PEFT keeps adapters in float32
    assert lora.optimizer == pytest.approx(8 * count, rel=1e-2)


@pytest.mark.parametrize("settings", [{"lora": None}, {"lora": lora_config(), "activation_checkpointing": True}])
def test_a_step_leaves_nothing_behind_for_the_next(settings):
    sizes = [(4, 2), (1, 1), (2, 2)]
    alone = [estimate_training_memory("embedded", batch_size=batch, image_tiles=tiles, **settings) for batch, tiles in sizes]
    assert estimate_steps("embedded", sizes, **settings) == alone


@pytest.mark.parametrize("precision", ["int8", "nf4", "nf4-double-quant"])
def test_quantized_weights_train_an_adapter(precision):
    estimate = estimate_training_memory("embedded", lora=lora_config(), precision=precision)
    assert estimate.weights == weight_bytes("embedded", precision).total
    assert estimate.activations > 0


def test_more_of_anything_takes_more_and_checkpointing_less():
    def activations(**settings):
        return estimate_training_memory("embedded", lora=lora_config(), **settings).activations

    one = activations()
    assert 1.9 < activations(batch_size=2) / one < 2.1
    assert activations(image_tiles=2) > one
    assert activations(text_tokens=200) > one
    assert activations(activation_checkpointing=True) < one / 2


_RELEASED = """
import json, pathlib, re, resource, sys, time
from peft import LoraConfig
from helpers.memory import estimate_training_memory
lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj"])
def timed(model, tiles):
    began = time.process_time()
    return estimate_training_memory(model, lora=lora, image_tiles=tiles), time.process_time() - began
timed("embedded", 1)  # what is done only once
small = min(timed("embedded", 1)[1] for _ in range(3))
estimate, seconds = timed(sys.argv[1], int(sys.argv[2]))
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux hands a parent's ru_maxrss on to its children
    rss = int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) * 1024
else:
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"total": estimate.total, "seconds": seconds, "small": small, "rss": rss}))
"""


@pytest.mark.parametrize(("name", "tiles"), [pytest.param("SmolVLM2-2.2B", 17, marks=pytest.mark.slow), ("Qwen2-VL-7B", 4)])
def test_released_models_take_seconds_and_little_memory(name, tiles):
    """In a process of its own, whose memory is the dry run's and the libraries'.

    Processor time, since others run beside it, and told by what the embedded model takes, since machines differ by a factor of
    two: it grows with the number of layers, and not with the sizes of what they multiply.
    """
    done = subprocess.run([sys.executable, "-c", _RELEASED, name, str(tiles)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    print(name, figures)
    assert figures["seconds"] < 12 * figures["small"]
    assert figures["rss"] < 2e9
    assert figures["total"] > weight_bytes(name, "bfloat16").total


def architectures():
    """One of each kind of model; those that differ from it in nothing but sizes wait for the soak test."""
    seen = set()
    for name in ARCHITECTURES:
        config = load_config(name)
        kind = (config.model_type, config.text_config.model_type, config.vision_config.model_type)
        yield pytest.param(name, marks=[pytest.mark.slow] * (kind in seen))
        seen.add(kind)


@pytest.mark.parametrize("name", architectures())
def test_every_released_architecture_has_a_training_step(name):
    lora = LoraConfig(r=8, target_modules=text_layers(name))
    estimate = estimate_training_memory(name, lora=lora, activation_checkpointing=True, frozen_vision=True)
    assert estimate.total > estimate.weights + estimate.optimizer > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "int3"}, "nf4-double-quant"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"image_tiles": 0}, "image_tiles is 0"),
        ({"text_tokens": -1}, "text_tokens is -1"),
        ({"optimizer": "adam"}, "adamw, sgd"),
        ({"precision": "nf4"}, "lora=LoraConfig"),
        ({"lora": LoraConfig(target_modules=["query"])}, r"linear layers.*text: .*q_proj"),
    ],
)
def test_bad_input_says_what_is_possible(settings, message):
    with pytest.raises(ValueError, match=message):
        estimate_training_memory("embedded", **settings)


def test_an_unknown_architecture_says_what_is_possible():
    with pytest.raises(ValueError, match=r"There are: .*SmolVLM2"):
        estimate_training_memory("SmolVLM3")


def test_eyes_that_a_model_has_not_cannot_be_spared(monkeypatch):
    monkeypatch.setattr("transformers.SmolVLMForConditionalGeneration.get_encoder", lambda self, modality=None: self)
    with pytest.raises(ValueError, match="no vision tower of its own"):
        estimate_training_memory("embedded", frozen_vision=True)


def test_pictures_that_are_only_padding_are_not_looked_at(processor):
    """A batch of unequal tiles: the smaller example's are filled up, and the tower doesn't see them."""
    row = load_chartqa("embedded", "train", 1)[0]
    pictures = [[row["image"]], [row["image"], row["image"], row["image"]]]
    text = [processor.apply_chat_template(chat(row["query"], SHORT_ANSWER))] * 2
    text[1] = text[1].replace("<image>", "<image><image><image>")
    batch = dict(processor(text=text, images=pictures, return_tensors="pt", padding=True))
    assert batch["pixel_values"].shape[:2] == (2, 3)
    model = get_peft_model(load_model("embedded"), lora_config()).train()
    measured = measured_peak(model, batch | {"labels": batch["input_ids"].clone()})
    estimate = estimate_training_memory("embedded", lora=lora_config(), precision="float32", batch=batch)
    assert abs(estimate.total / measured - 1) < TOLERANCE

"""Real and odd charts through loader, processor, collator and two training steps; what is and isn't trained on."""

import pytest
import torch
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from helpers.data import load_chartqa, open_picture
from helpers.models import QUANTIZATIONS, SHORT_ANSWER, load_model

TEXT_ONLY = r".*text_model.*\.(q_proj|v_proj)"


def to_conversations(rows):
    return {
        "image": [open_picture(image) for image in rows["image"]],
        "prompt": [[{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": q}] for q in rows["query"]],
        "completion": [[{"role": "assistant", "content": label[0]}] for label in rows["label"]],
    }


def train_two_steps(rows, processor, folder, quantization="none", prepare=None, **settings):
    trainer = SFTTrainer(
        model=load_model("embedded", quantization=quantization),
        args=SFTConfig(
            output_dir=str(folder), max_steps=2, per_device_train_batch_size=4, learning_rate=1e-3, logging_steps=1,
            use_cpu=True, bf16=False, save_strategy="no", report_to="none", remove_unused_columns=False,
            **{"max_length": None, "activation_checkpointing": False} | settings,
        ),
        processing_class=processor,
        train_dataset=rows.with_transform(to_conversations),
        peft_config=LoraConfig(r=4, target_modules=TEXT_ONLY, task_type="CAUSAL_LM"),
    )  # fmt: skip
    if prepare:
        prepare(trainer.model.get_base_model().model.vision_model)
    trainer.train()
    return trainer, [row for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize("name", ["chartqa_real_train_machine", "opencqa_real"])
def test_real_charts_train(shared, processor, tmp_path, name):
    rows = load_chartqa(shared / "data" / f"{name}.parquet", "train", 8)
    _, log = train_two_steps(rows, processor, tmp_path)
    assert all(row["loss"] > 0 and row["grad_norm"] > 0 for row in log)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_every_quantization_trains_on_the_cpu_and_leaves_the_vision_tower_alone(processor, tmp_path, quantization):
    trainer, log = train_two_steps(load_chartqa("embedded", "train", 8), processor, tmp_path, quantization)
    assert all(row["grad_norm"] > 0 for row in log)
    trained = [name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("text_model" in name and "lora_" in name for name in trained)


def test_trl_makes_adapters_of_4_bit_models_bfloat16_and_the_lessons_cast_makes_them_trainable_in_float16(processor, tmp_path):
    """Should TRL stop doing so, the cast in the lessons and the docstring of choose_precision can go."""
    trainer, _ = train_two_steps(load_chartqa("embedded", "train", 8), processor, tmp_path, "4bit")
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    assert {parameter.dtype for parameter in trained} == {torch.bfloat16}
    for parameter in trained:
        parameter.data = parameter.data.float()
    loss = trainer.model(**trainer.data_collator([dict(trainer.train_dataset[0])])).loss
    loss.backward()
    assert {parameter.grad.dtype for parameter in trained} == {torch.float32}, "what the gradient scaler of fp16 takes"


def test_checkpointing_differentiates_frozen_eyes_unless_they_run_without_a_gradient(processor, tmp_path):
    """Should transformers stop doing so, the line about it in lessons 03 and 04 can go."""
    rows, differentiated = load_chartqa("embedded", "train", 8), []

    def watch(eyes):
        eyes.register_forward_hook(lambda module, args, seen: differentiated.append(seen[0].requires_grad))

    def spare(eyes):
        watch(eyes)
        eyes.forward = torch.no_grad()(eyes.forward)

    _, as_it_is = train_two_steps(rows, processor, tmp_path, prepare=watch, activation_checkpointing=True)
    assert differentiated == [True, True]
    _, spared = train_two_steps(rows, processor, tmp_path, prepare=spare, activation_checkpointing=True)
    assert differentiated[2:] == [False, False]
    for one, other in zip(as_it_is, spared, strict=True):
        assert (other["loss"], other["grad_norm"]) == pytest.approx((one["loss"], one["grad_norm"]), rel=1e-5)


def test_only_the_answer_is_trained_on(processor):
    example = load_chartqa("embedded", "train", 1).with_transform(to_conversations)[0]
    answer = example["completion"][0]["content"]
    labels = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)([dict(example)])["labels"][0]
    text = processor.tokenizer.decode(labels[labels != -100])
    assert text.split("<end_of_utterance>")[0].strip() == answer
    messages = {"image": example["image"], "messages": example["prompt"] + example["completion"]}
    everything = DataCollatorForVisionLanguageModeling(processor)([messages])["labels"][0]
    assert (everything == processor.image_token_id).sum() == 64, "with messages, the image tokens are in the loss"


def test_max_length_cuts_the_answer_to_a_silent_loss_of_zero(processor, tmp_path):
    """The trap that max_length=None prevents: nothing fails, the loss looks perfect, and nothing is learnt."""
    _, log = train_two_steps(load_chartqa("embedded", "train", 8), processor, tmp_path, max_length=85)
    assert [row["loss"] for row in log] == [0.0, 0.0]
    assert [row["grad_norm"] for row in log] == [0.0, 0.0]


def test_the_embedded_model_is_a_plain_smolvlm(model, processor):
    assert type(model).__name__ == "SmolVLMForConditionalGeneration"
    assert type(processor).__name__ == "SmolVLMProcessor"
    assert sum(parameter.numel() * parameter.element_size() for parameter in model.parameters()) < 8_000_000
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_splitting_makes_five_tiles_of_a_picture(processor):
    image = load_chartqa("embedded", "test", 1)[0]["image"]
    text = processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}])
    settings = {"do_image_splitting": True, "size": {"longest_edge": 256}}
    whole = processor(text=[text], images=[[image]], return_tensors="pt")
    tiles = processor(text=[text], images=[[image]], return_tensors="pt", **settings)
    assert whole["pixel_values"].shape[1] == 1
    assert tiles["pixel_values"].shape[1] == 5
    assert (tiles["input_ids"] == processor.image_token_id).sum() == 5 * 64

"""Tiny models with random weights, one of each family, as released ones are: config, weights, tokenizer, processor, template.

Built offline in seconds, into a folder. Templates that trl carries are those of the released models, byte for byte; the others
have the released ones' structure.
"""

from importlib.resources import files
from pathlib import Path

import torch
import transformers as tf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

NAMES = ("Spain", "Italy", "Kenya", "Chile", "wheat", "rice", "coal", "oil", "2019", "2022")
TEXTS = [f"What is the value of {a}? Is {a} higher than {b}? Yes, No, by {n}.5%" for n, a in enumerate(NAMES) for b in NAMES]
TEXTS += ["Answer with a single word or number.", "Answer with one full sentence."]
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
# Multiples of 64, the blocks of bitsandbytes' 4-bit weights.
WIDE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = WIDE | {"num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 2048}
PATCH = {"patch_size": 14}
SIGLIP = WIDE | PATCH | {"model_type": "siglip_vision_model", "vision_use_head": False}

CHATML = """{% for turn in messages %}{{ '<|im_start|>' + turn['role'] + '\\n' }}{% for part in turn['content'] %}\
{% if part['type'] == 'image' %}{{ '<image>\\n' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
VICUNA = """{% for turn in messages %}{{ '' if turn['role'] == 'system' else turn['role'] | upper + ': ' }}\
{% for part in turn['content'] %}{{ '<image>\\n' if part['type'] == 'image' else part['text'] }}{% endfor %}\
{{ '</s>' if turn['role'] == 'assistant' else ' ' }}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"""
# As mistral-community's: BOS in the template, and an answer that must be text; in the lenient one a list of parts.
MISTRAL = """{{ bos_token }}{% for turn in messages %}{% if turn['role'] == 'assistant' %}{{ ANSWER + eos_token }}\
{% elif turn['role'] == 'user' %}{{ '[INST]' }}{% if messages[0]['role'] == 'system' %}{{ SYSTEM + '\\n\\n' }}{% endif %}\
{% for part in turn['content'] %}{{ '[IMG]' if part['type'] == 'image' else part['text'] }}{% endfor %}{{ '[/INST]' }}\
{% endif %}{% endfor %}"""


def tokenizer(special: list[str], *, eos: str, pad: str, bos: str | None = None, adds_bos: bool = False, names=None):
    """Byte-level BPE. ``names``: what a processor calls some of its special tokens; ``adds_bos``: to every text, unasked."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    marks = [AddedToken(token, special=True) for token in special]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, special_tokens=marks, show_progress=False)
    bpe.train_from_iterator(TEXTS, trainer)
    if adds_bos:
        first = [(bos, bpe.token_to_id(bos))]
        bpe.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=first)
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=bos, eos_token=eos, pad_token=pad, extra_special_tokens=names or {},
        model_max_length=2048, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _text(tok, model_type=None, **more) -> dict:
    ids = {"bos_token_id": tok.bos_token_id, "eos_token_id": tok.eos_token_id, "pad_token_id": tok.pad_token_id}
    return TEXT | {"vocab_size": len(tok)} | ids | ({"model_type": model_type} if model_type else {}) | more


def _template(name: str) -> str:
    return files("trl").joinpath(f"chat_templates/{name}.jinja").read_text(encoding="utf-8")


def _qwen(processor_class, config_class, model_class, video_class, template: str, patch: int, rope=None, **vision):
    places = ("vision_start", "vision_end", "image_pad", "video_pad")
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|{place}|>" for place in places)]
    tok = tokenizer(marks, eos="<|im_end|>", pad="<|endoftext|>")
    square = (2 * patch) ** 2
    images = tf.Qwen2VLImageProcessor(size={"shortest_edge": 4 * square, "longest_edge": 12 * square}, patch_size=patch)
    turning = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]} | (rope or {})
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    config = config_class(
        text_config=_text(tok, rope_parameters=turning), vision_config={"depth": 2, "num_heads": 2, **vision},
        tie_word_embeddings=True, **dict(zip(names, tok.convert_tokens_to_ids(marks[3:]), strict=True)),
    )  # fmt: skip
    return model_class(config), processor_class(images, tok, video_class(), chat_template=_template(template))


def qwen2_vl():
    return _qwen(
        tf.Qwen2VLProcessor, tf.Qwen2VLConfig, tf.Qwen2VLForConditionalGeneration, tf.Qwen2VLVideoProcessor,
        "qwen2_5_vl", 14, embed_dim=64, hidden_size=64, mlp_ratio=2,
    )  # fmt: skip


def qwen2_5_vl():
    wide = {"hidden_size": 64, "intermediate_size": 128, "out_hidden_size": 64}
    return _qwen(
        tf.Qwen2_5_VLProcessor, tf.Qwen2_5_VLConfig, tf.Qwen2_5_VLForConditionalGeneration, tf.Qwen2VLVideoProcessor,
        "qwen2_5_vl", 14, fullatt_block_indexes=[1], window_size=112, **wide,
    )  # fmt: skip


def qwen3_vl():
    wide = {"hidden_size": 64, "intermediate_size": 128, "out_hidden_size": 64}
    return _qwen(
        tf.Qwen3VLProcessor, tf.Qwen3VLConfig, tf.Qwen3VLForConditionalGeneration, tf.Qwen3VLVideoProcessor, "qwen3_vl", 16,
        rope={"mrope_interleaved": True}, num_position_embeddings=64, deepstack_visual_indexes=[0], **wide,
    )  # fmt: skip


def gemma3():
    names = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    marks = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", *names.values()]
    tok = tokenizer(marks, bos="<bos>", eos="<eos>", pad="<pad>", names=names, adds_bos=True)
    images = tf.Gemma3ImageProcessor(size={"height": 56, "width": 56}, **HALF)
    layers = {"sliding_window": 64, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 32}
    model = tf.Gemma3ForConditionalGeneration(tf.Gemma3Config(
        text_config=_text(tok, **layers), vision_config=SIGLIP | {"image_size": 56}, mm_tokens_per_image=4,
        boi_token_index=tok.boi_token_id, eoi_token_index=tok.eoi_token_id, image_token_index=tok.image_token_id,
    ))  # fmt: skip
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.2)  # zeros would see nothing
    return model, tf.Gemma3Processor(images, tok, chat_template=_template("gemma3"), image_seq_length=4)


def llava():
    """LLaVA 1.5: CLIP's second last layer, without its first token."""
    tok = tokenizer(["<unk>", "<s>", "</s>", "<image>", "<pad>"], bos="<s>", eos="</s>", pad="<pad>", adds_bos=True)
    images = tf.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = tf.LlavaProcessor(
        images, tok, patch_size=14, vision_feature_select_strategy="default", image_token="<image>",
        num_additional_image_tokens=1, chat_template="{{ bos_token }}" + VICUNA,
    )  # fmt: skip
    config = tf.LlavaConfig(
        text_config=_text(tok, "llama"), vision_config=WIDE | {"model_type": "clip_vision_model", "image_size": 56} | PATCH,
        image_token_index=tok.convert_tokens_to_ids("<image>"), vision_feature_layer=-2, image_seq_length=16,
    )  # fmt: skip
    return tf.LlavaForConditionalGeneration(config), processor


def llava_onevision():
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
    tok = tokenizer(marks, eos="<|im_end|>", pad="<|endoftext|>")
    grid, one = [[height, width] for height in (42, 84) for width in (42, 84)], {"size": {"height": 42, "width": 42}, **HALF}
    processor = tf.LlavaOnevisionProcessor(
        tf.LlavaOnevisionImageProcessor(image_grid_pinpoints=grid, **one), tok, tf.LlavaOnevisionVideoProcessor(**one),
        num_image_tokens=9, vision_feature_select_strategy="full", image_token="<image>", video_token="<video>",
        chat_template=CHATML,
    )  # fmt: skip
    config = tf.LlavaOnevisionConfig(
        text_config=_text(tok, "qwen2"), vision_config=SIGLIP | {"image_size": 42}, image_grid_pinpoints=grid,
        image_token_index=tok.convert_tokens_to_ids("<image>"), video_token_index=tok.convert_tokens_to_ids("<video>"),
        vision_feature_layer=-1, vision_feature_select_strategy="full", tie_word_embeddings=True,
    )  # fmt: skip
    return tf.LlavaOnevisionForConditionalGeneration(config), processor


SPLIT = {"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}, "do_image_splitting": True}


def _idefics(bos: str, adds_bos: bool, config_class, model_class, make_processor):
    names = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"}
    names["end_of_utterance_token"] = "<end_of_utterance>"
    marks = ["<|endoftext|>", bos, *names.values(), *(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7))]
    tok = tokenizer(marks, bos=bos, eos="<end_of_utterance>", pad="<|endoftext|>", names=names, adds_bos=adds_bos)
    config = config_class(
        text_config=_text(tok, "llama"), vision_config=WIDE | {"image_size": 56, "patch_size": 14}, scale_factor=2,
        image_token_id=tok.image_token_id, pad_token_id=tok.pad_token_id,
    )  # fmt: skip
    return model_class(config), make_processor(tok)


def idefics3():
    """On Llama 3: its tokenizer adds a first token, and the template writes it."""

    def processor(tok):
        template = _template("idefics3")
        return tf.Idefics3Processor(tf.Idefics3ImageProcessor(**SPLIT), tok, image_seq_len=4, chat_template=template)

    return _idefics("<|begin_of_text|>", True, tf.Idefics3Config, tf.Idefics3ForConditionalGeneration, processor)


def smolvlm():
    """Cuts pictures into tiles, as released ones do and the embedded one doesn't."""

    def processor(tok):
        pictures, films = tf.SmolVLMImageProcessor(**SPLIT), tf.SmolVLMVideoProcessor(**SPLIT)
        return tf.SmolVLMProcessor(pictures, tok, films, image_seq_len=4, chat_template=_template("smolvlm"))

    return _idefics("<|im_start|>", False, tf.SmolVLMConfig, tf.SmolVLMForConditionalGeneration, processor)


def _pixtral(**words: str):
    marks = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "<pad>"]
    tok = tokenizer(marks, bos="<s>", eos="</s>", pad="<pad>", adds_bos=True)
    template = MISTRAL
    for word, code in words.items():
        template = template.replace(word, code)
    images = tf.PixtralImageProcessor(size={"longest_edge": 64}, patch_size={"height": 16, "width": 16}, **HALF)
    eyes = WIDE | {"model_type": "pixtral", "image_size": 64, "patch_size": 16, "head_dim": 32}
    config = tf.LlavaConfig(
        text_config=_text(tok, "mistral"), vision_config=eyes, image_token_index=tok.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1, vision_feature_select_strategy="full", image_seq_length=1,
    )  # fmt: skip
    return tf.LlavaForConditionalGeneration(config), tf.PixtralProcessor(images, tok, patch_size=16, chat_template=template)


def pixtral():
    """With a template that takes lists of parts, unlike the released one."""
    return _pixtral(SYSTEM="messages[0]['content'][0]['text']", ANSWER="turn['content'][0]['text']")


def pixtral_released():
    return _pixtral(SYSTEM="messages[0]['content']", ANSWER="turn['content']")


def without_template():
    model, processor = smolvlm()
    processor.chat_template = None
    return model, processor


FAMILIES = (qwen2_vl, qwen2_5_vl, qwen3_vl, gemma3, llava, llava_onevision, idefics3, smolvlm, pixtral)
REFUSED = (pixtral_released, without_template)


def build(family: str, folder: Path) -> str:
    """Make the family's model there, always the same one; its path, as ``load_model`` takes it."""
    torch.manual_seed(0)
    model, processor = {make.__name__: make for make in (*FAMILIES, *REFUSED)}[family]()
    for layer in model.get_decoder().modules():  # as drawn, each token would be followed by itself
        if isinstance(layer, torch.nn.Linear):
            layer.weight.data *= 8
    model.eval().float().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)

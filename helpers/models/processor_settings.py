"""Settings of released models' processors, and how the rules of the other modules read settings.

Each is what the model's own files on the Hugging Face hub say. SmolVLM, Gemma 3, LLaVA: ``config.json`` (tile and patch sizes,
``mm_tokens_per_image``, ``image_grid_pinpoints``). Qwen2-VL, Qwen2.5-VL: the model cards, 4 to 16,384 tokens a picture of
28 x 28 pixels each, as in ``preprocessor_config.json``. Qwen3-VL, Idefics 2: ``preprocessor_config.json``, Pixtral:
``processor_config.json``. Missing: Idefics3-8B-Llama3, whose tokenizer spells the tiles' places out in a number of tokens that
no file says; give its processor itself.
"""

from collections.abc import Mapping

from helpers.models.names import find_model, unknown_model

# `marker_lengths`: tokens of the text that frames the tiles, which the tokenizer decides. SmolVLM2's has a token for each of
# `<row_1_col_1>`, `<global-img>` and the blank line. SmolVLM-Instruct's vocabulary ends with the frame, the image token and the
# end of an utterance (49,152 words of SmolLM2 and three more): its rows and columns are spelled out, "<", "row", "_", "1", ...
ONE_EACH = {"tile": 1, "global": 1, "blank_line": 1}
_SPELLED = {"tile": 9, "global": 5, "blank_line": 1}
_LARGE = {"size": {"longest_edge": 1536}, "max_image_size": {"longest_edge": 384}, "patch_size": 14, "scale_factor": 3}
_SMALL = {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}, "patch_size": 16, "scale_factor": 4}
_QWEN = {"patch_size": 14, "merge_size": 2, "min_pixels": 4 * 28 * 28, "max_pixels": 16384 * 28 * 28}
_QWEN_3 = {"patch_size": 16, "merge_size": 2, "size": {"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}}
_CLIP = {"patch_size": 14, "crop_size": {"height": 336, "width": 336}}
_CLIP |= {"num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}  # its first token, and left out again

PROCESSORS: dict[str, dict] = {
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": _LARGE,
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": _SMALL,
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": _SMALL,
    "HuggingFaceTB/SmolVLM-Instruct": _LARGE | {"marker_lengths": _SPELLED},
    "HuggingFaceTB/SmolVLM-500M-Instruct": _SMALL,
    "HuggingFaceTB/SmolVLM-256M-Instruct": _SMALL,
    "Qwen/Qwen2-VL-2B-Instruct": _QWEN,
    "Qwen/Qwen2-VL-7B-Instruct": _QWEN,
    "Qwen/Qwen2.5-VL-3B-Instruct": _QWEN,
    "Qwen/Qwen2.5-VL-7B-Instruct": _QWEN,
    "Qwen/Qwen3-VL-2B-Instruct": _QWEN_3,
    "Qwen/Qwen3-VL-8B-Instruct": _QWEN_3,
    "google/gemma-3-4b-it": {"image_seq_length": 256, "marker_tokens": 4},  # begin, end, and a blank line around them
    "llava-hf/llava-1.5-7b-hf": _CLIP,
    "llava-hf/llava-v1.6-mistral-7b-hf": _CLIP | {
        "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
    },
    "mistral-community/pixtral-12b": {"patch_size": 16, "spatial_merge_size": 1, "size": {"longest_edge": 1024}},
    "HuggingFaceM4/idefics2-8b": {"image_seq_len": 64, "do_image_splitting": True},
    "embedded": {
        "size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 128}, "patch_size": 8, "scale_factor": 2,
        "do_image_splitting": False, "marker_lengths": ONE_EACH | {"blank_line": 2},
    },
}  # fmt: skip

NEEDED = """what settings are needed, by rule:
- tiles (SmolVLM, Idefics 3): size and max_image_size with a longest_edge; image_seq_len, or patch_size and scale_factor
- patches (Qwen, GLM-4V): patch_size, merge_size; min_pixels and max_pixels, or size with a shortest_edge and a longest_edge
- rows of patches (Pixtral, Mistral 3): patch_size, spatial_merge_size, size with a longest_edge
- a canvas of tiles (InternVL): image_seq_length, max_patches, size with height and width
- quarters (Idefics 2): image_seq_len, do_image_splitting
- a grid (LLaVA-NeXT, LLaVA-OneVision): image_grid_pinpoints, size or crop_size; patch_size, or num_image_tokens
- a fixed number (Gemma 3, PaliGemma, LLaVA 1.5): image_seq_length, or patch_size and crop_size with height and width
or give the processor itself, as load_processor returns it"""


def named_settings(processor: str | Mapping) -> Mapping:
    """What a name in ``PROCESSORS`` stands for, or a dict's settings, flat also if nested as transformers 5 writes them."""
    if isinstance(processor, Mapping):
        return {**(processor.get("image_processor") or {}), **processor}
    if not isinstance(processor, str):
        raise ValueError(f"the processor is a {type(processor).__name__}; {NEEDED}")
    if (name := find_model(processor, PROCESSORS)) is None:
        raise ValueError(f"{unknown_model(processor, PROCESSORS)}; or give a dict of settings, or the processor itself")
    return PROCESSORS[name]


def is_processor(thing) -> bool:
    """Whether it is one of transformers' processors, or does what they do: pictures and text."""
    return hasattr(thing, "image_processor") and hasattr(thing, "tokenizer")


def read_settings(processor) -> dict:
    """What a processor of transformers and its image processor have in their attributes."""
    own = {key: value for key, value in vars(processor).items() if isinstance(value, int | str) and key != "chat_template"}
    settings = processor.image_processor.to_dict() | own
    if "max_image_size" in settings:  # how long the names of its tiles are, the tokenizer decides
        whole = getattr(processor, "global_image_tag", "<global-img>")
        words = {"tile": "<row_1_col_1>", "global": whole, "blank_line": "\n\n"}
        ids = {key: processor.tokenizer(word, add_special_tokens=False)["input_ids"] for key, word in words.items()}
        settings["marker_lengths"] = {key: len(tokens) for key, tokens in ids.items()}
    return settings


def number(settings: Mapping, key: str) -> int:
    """The whole number called ``key``; a square given by its height and width counts as its side."""
    value = settings.get(key)
    if isinstance(value, Mapping):
        value = value.get("height")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"the processor's settings have no {key}; {NEEDED}")
    return value


def edge(settings: Mapping, key: str, which: str = "longest_edge") -> int:
    name = f"{key} with a {which}"
    return number({name: (settings.get(key) or {}).get(which)}, name)


def square(settings: Mapping) -> tuple[int, int]:
    """(height, width) of what the vision tower sees, from ``crop_size`` or ``size``."""
    key = "crop_size" if settings.get("crop_size") else "size"
    if (settings.get(key) or {}).get("shortest_edge"):
        return (edge(settings, key, "shortest_edge"),) * 2
    return edge(settings, key, "height"), edge(settings, key, "width")

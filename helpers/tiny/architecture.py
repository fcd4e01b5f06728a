"""The embedded model before training: the real SmolVLM classes with small numbers, and a tokenizer of whole words.

Sizes: image 128 x 128 in patches of 8, joined 2 x 2 by the connector to 64 image tokens of 16 pixels; vision tower and
text model 128 wide, four layers each, every width a multiple of 64, the blocks of bitsandbytes' 4-bit weights. Image
splitting is off by default; with ``do_image_splitting=True`` and ``size={"longest_edge": 256}`` a picture becomes four
tiles and the whole.
"""

import re
from importlib.resources import files

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from helpers.tiny.curriculum import conversation, invented_chart

PICTURE, PATCH, SCALE = 128, 8, 2
_SIZES = {"size": {"longest_edge": PICTURE}, "max_image_size": {"longest_edge": PICTURE}, "do_image_splitting": False}
GRID = PICTURE // PATCH // SCALE  # image tokens per side
IMAGE_TOKENS = GRID * GRID
_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>",
    "<row_1_col_1>", "<row_1_col_2>", "<row_2_col_1>", "<row_2_col_2>",
)  # fmt: skip


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each word and number of the curriculum; any other text is spelled out, letter by letter or in bytes.

    Whole words keep answers to one token, so that a model of this size can learn to look a value up.
    """
    rng = np.random.default_rng(0)
    said = set()
    for _ in range(6000):
        system, turns = conversation(*invented_chart(rng), rng)
        for text in (system, *(text for turn in turns for text in (turn.question, turn.answer))):
            said |= set(re.findall(r"[A-Za-z]+|\d+", text))
    words = sorted(said | {str(n) for n in range(101)} | {"System", "User", "Assistant"})
    letters = [chr(code) for code in range(32, 127)] + ["\n", "▁"]
    pieces = ["▁" + word for word in words] + words
    spelled = [f"<0x{byte:02X}>" for byte in range(256)] + sorted(set(letters) - set(pieces))
    # Unigram picks the split with the highest sum of scores: one whole word beats its letters.
    vocabulary = [(token, 0.0) for token in _SPECIAL]
    vocabulary += [(piece, -1.0) for piece in pieces] + [(piece, -20.0) for piece in spelled]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?(?:[A-Za-z]+|\d+)|▁|[^▁]"), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>", eos_token="<end_of_utterance>", pad_token="<|endoftext|>", unk_token="<|endoftext|>",
        extra_special_tokens={
            "image_token": "<image>", "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>",
        },
        model_max_length=2048, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def build_image_processor() -> SmolVLMImageProcessor:
    """SmolVLM's own, for one tile of 128 x 128."""
    return SmolVLMImageProcessor(**_SIZES)


def build_processor() -> SmolVLMProcessor:
    """SmolVLM's own processor and chat template (as the package trl carries it) around the small tokenizer."""
    return SmolVLMProcessor(
        image_processor=build_image_processor(),
        tokenizer=build_tokenizer(),
        video_processor=SmolVLMVideoProcessor(**_SIZES),
        image_seq_len=IMAGE_TOKENS,
        chat_template=files("trl").joinpath("chat_templates/smolvlm.jinja").read_text(),
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> SmolVLMForConditionalGeneration:
    """A SmolVLM with random weights, 32 bit."""
    token = tokenizer.convert_tokens_to_ids
    special = {"bos_token_id": token("<|im_start|>"), "eos_token_id": token("<end_of_utterance>")}
    special["pad_token_id"] = token("<|endoftext|>")
    config = SmolVLMConfig(
        vision_config={
            "hidden_size": 128, "intermediate_size": 448, "num_hidden_layers": 4, "num_attention_heads": 4,
            "image_size": PICTURE, "patch_size": PATCH,
        },
        text_config={
            "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 128, "intermediate_size": 384,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},  # most of a head compares content, not place
            "max_position_embeddings": 2048, "tie_word_embeddings": True, **special,
        },
        scale_factor=SCALE, image_token_id=token("<image>"), tie_word_embeddings=True, **special,
    )  # fmt: skip
    return SmolVLMForConditionalGeneration(config)

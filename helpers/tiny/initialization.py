"""Where the text model's weights start: what would otherwise take most of the pretraining to come about by itself."""

import math
import re

import torch
from transformers import PreTrainedTokenizerFast, SmolVLMForConditionalGeneration

_PERIODS = (2, 5, 10, 20, 50, 100, 200)


@torch.no_grad()
def compare_content_from_the_start(model: SmolVLMForConditionalGeneration) -> None:
    """Upper layers: a token looks at tokens like itself and copies them, which is most of what looking up takes.

    "Mimetic" initialization (Trockman and Kolter 2023, arXiv:2305.09828).
    """
    for layer in model.model.text_model.layers[1:]:
        attention, width = layer.self_attn, layer.self_attn.q_proj.weight.shape[0]
        look, copy = (torch.linalg.qr(torch.randn(width, width))[0] for _ in range(2))
        attention.q_proj.weight.copy_(0.8 * look + 0.01 * torch.randn(width, width))
        attention.k_proj.weight.copy_(0.8 * look + 0.01 * torch.randn(width, width))
        attention.v_proj.weight.copy_(copy * 0.5**0.5)
        attention.o_proj.weight.copy_(copy.T * 0.5**0.5)


@torch.no_grad()
def numbers_as_waves(model: SmolVLMForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> None:
    """Embeddings of 0 to 100: cosine and sine at a few periods, so that near numbers and shared digits look alike.

    Products of such waves give sums and differences (FoNE, Zhou et al. 2025, arXiv:2502.09741; models that learn
    addition arrive at them by themselves). A word or number with a space before it starts out like the one without.
    """
    embeddings, vocabulary = model.model.text_model.embed_tokens.weight, tokenizer.get_vocab()
    width = embeddings.shape[1]
    axes = torch.linalg.qr(torch.randn(width, 2 * len(_PERIODS)))[0]
    usual = model.config.text_config.initializer_range * math.sqrt(width)
    for piece, token in vocabulary.items():
        if not piece.startswith("▁") or len(piece) == 1:
            continue
        if re.fullmatch(r"▁(100|\d{1,2})", piece):
            angles = 2 * math.pi * int(piece[1:]) / torch.tensor(_PERIODS)
            waves = axes @ torch.cat([angles.cos(), angles.sin()]) / math.sqrt(len(_PERIODS))
            embeddings[token] = usual * waves + 0.3 * embeddings[token]
        if piece[1:] in vocabulary:
            plain = vocabulary[piece[1:]]
            embeddings[plain] = embeddings[token] + 0.3 * embeddings[plain]

"""Batches for a dry run: the shapes that each family's processor makes of so many tiles and tokens."""

import torch
from transformers import PreTrainedConfig

QWEN_TILE = 448  # pixels; Qwen's models cut no tiles, so a picture of so many squares is assumed


def _tiled_batch(config: PreTrainedConfig, batch_size: int, image_tiles: int, text_tokens: int) -> dict:
    """A batch as the processors of SmolVLM and Idefics3 make it: (batch, tiles, channels, height, width) and the tokens."""
    vision = config.vision_config
    tokens = image_tiles * (vision.image_size // vision.patch_size // config.scale_factor) ** 2
    side = vision.image_size
    return {
        "pixel_values": torch.empty(batch_size, image_tiles, vision.num_channels, side, side),
        "pixel_attention_mask": torch.empty(batch_size, image_tiles, side, side, dtype=torch.int64),
        **_tokens(batch_size, config.image_token_id, tokens, text_tokens),
    }


def _patched_batch(config: PreTrainedConfig, batch_size: int, image_tiles: int, text_tokens: int) -> dict:
    """A batch as Qwen's processors make it: (patches of all pictures, values of a patch), their grids, and the tokens."""
    vision = config.vision_config
    merge = vision.spatial_merge_size
    side = QWEN_TILE // (vision.patch_size * merge) * merge  # patches
    channels = getattr(vision, "in_channels", None) or vision.in_chans
    values = channels * vision.temporal_patch_size * vision.patch_size**2
    batch = _tokens(batch_size, config.image_token_id, image_tiles * (side // merge) ** 2, text_tokens)
    return {
        "pixel_values": torch.empty(batch_size * image_tiles * side * side, values),
        "image_grid_thw": torch.tensor([[1, side, side * image_tiles]] * batch_size),
        "mm_token_type_ids": (batch["input_ids"] == config.image_token_id).int(),
        **batch,
    }


def _tokens(batch_size: int, image_token: int, image_tokens: int, text_tokens: int) -> dict[str, torch.Tensor]:
    """Image tokens, then text tokens, all of these trained on; which are trained on makes no difference to memory."""
    ids = torch.zeros(batch_size, image_tokens + text_tokens, dtype=torch.int64)
    ids[:, :image_tokens] = image_token
    labels = torch.where(ids == image_token, -100, ids)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


FAMILIES = {"smolvlm": _tiled_batch, "idefics3": _tiled_batch, "qwen2_vl": _patched_batch, "qwen2_5_vl": _patched_batch}

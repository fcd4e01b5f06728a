"""Rules that keep a picture's shape: whole patches, or a grid of squares without its margins. Arithmetic, without the picture.

Each rule: (width, height, settings) -> (tiles, image tokens, tokens of the text that stands around them).
"""

import math
from collections.abc import Mapping

from helpers.models.processor_settings import edge, number, square

_LARGEST_RATIO = 200  # Qwen2VLImageProcessor refuses pictures more elongated than that


def fit(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """Qwen and GLM-4V: a token for every square of patches, and the two that their templates put around the picture."""
    columns, rows = (side // unit_of(settings) for side in fitted(width, height, settings))
    return 1, rows * columns, 2  # <|vision_start|> and <|vision_end|>, or <|begin_of_image|> and <|end_of_image|>


def unit_of(settings: Mapping) -> int:
    """Pixels on the side of the square that becomes one token."""
    return number(settings, "patch_size") * number(settings, "merge_size")


def fitted(width: int, height: int, settings: Mapping) -> tuple[int, int]:
    """(width, height) to which the picture is resized: transformers' ``smart_resize``."""
    unit, smallest, largest = unit_of(settings), _limit(settings, "shortest_edge"), _limit(settings, "longest_edge")
    if "Glm4" in settings.get("image_processor_type", ""):  # counts a picture as a film of two frames, and enlarges first
        frames = settings.get("temporal_patch_size", 2)
        smallest, largest = smallest / frames, largest / frames
        if min(width, height) < unit:
            scale = max(unit / height, unit / width)
            width, height = int(width * scale), int(height * scale)
    if max(width, height) / min(width, height) > _LARGEST_RATIO:
        raise ValueError(f"{width} x {height}: this processor takes pictures up to {_LARGEST_RATIO} times as long as wide")
    rows, columns = round(height / unit), round(width / unit)
    if rows * columns * unit**2 > largest:
        shrink = math.sqrt(height * width / largest)
        rows, columns = (max(1, math.floor(side / shrink / unit)) for side in (height, width))
    elif rows * columns * unit**2 < smallest:
        grow = math.sqrt(smallest / (height * width))
        rows, columns = (math.ceil(side * grow / unit) for side in (height, width))
    return columns * unit, rows * unit


def _limit(settings: Mapping, which: str) -> int:
    """``min_pixels`` and ``max_pixels``, which overrule ``size``, as in transformers; both are areas."""
    old = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}[which]
    size = settings.get("size") or {}
    return number({old: settings.get(old) or size.get(which) or size.get(old)}, old)


def rows(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """Pixtral and Mistral 3: patches of a picture reduced to a longest edge; a break after each row, an end after the last."""
    ratio = max(width, height) / edge(settings, "size")
    if ratio > 1:
        width, height = max(math.floor(width / ratio), 1), max(math.floor(height / ratio), 1)
    patch = number(settings, "patch_size") * settings.get("spatial_merge_size", 1)
    down, across = math.ceil(height / patch), math.ceil(width / patch)
    return 1, down * across, down


def grid(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """LLaVA-NeXT and LLaVA-OneVision: the whole, and a grid of squares without the margins, with a token after each row.

    The tokens after the rows are image tokens, too: the model has a vector for them.
    """
    side, across_side = square(settings)
    if settings.get("num_image_tokens"):
        down = across = math.isqrt(number(settings, "num_image_tokens"))
        whole = number(settings, "num_image_tokens")
    else:
        patch = number(settings, "patch_size")
        down, across = side // patch, across_side // patch
        whole = down * across + settings.get("num_additional_image_tokens", 0)
    best_height, best_width = _best_grid(width, height, settings["image_grid_pinpoints"])
    rows, columns = best_height // side, best_width // across_side
    high, wide = _without_margins(width, height, down * rows, across * columns)
    if settings.get("vision_aspect_ratio", "").startswith("anyres_max_"):
        too_many = math.sqrt(high * wide / (int(settings["vision_aspect_ratio"].removeprefix("anyres_max_")) * down**2))
        if too_many > 1.1:
            high, wide = int(high // too_many), int(wide // too_many)
    left_out = settings.get("vision_feature_select_strategy") == "default"
    return 1 + rows * columns, whole + high * wide + high - left_out, 0


def _best_grid(width: int, height: int, grids: list[list[int]]) -> tuple[int, int]:
    """transformers' ``select_best_resolution``: the (height, width) that keeps most of the picture and wastes least."""
    kept = {}
    for high, wide in grids:
        scale = min(wide / width, high / height)
        pixels = min(int(width * scale) * int(height * scale), width * height)
        kept[high, wide] = (pixels, pixels - high * wide)
    return max(kept, key=kept.get)


def _without_margins(width: int, height: int, high: int, wide: int) -> tuple[int, int]:
    """(rows, columns) of a grid of ``high`` x ``wide`` patches that hold the picture and not what it was padded with."""
    if width / height > wide / high:
        return high - (high - int(round(height * (wide / width), 7))) // 2 * 2, wide
    return high, wide - (wide - int(round(width * (high / height), 7))) // 2 * 2

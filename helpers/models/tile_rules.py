"""Rules that cut a picture into tiles, of which each becomes the same number of image tokens. Arithmetic, without the picture.

Each rule: (width, height, settings) -> (tiles, image tokens, tokens of the text that the processor writes around them).
"""

import math
from collections.abc import Mapping
from functools import lru_cache

from helpers.models.processor_settings import ONE_EACH, edge, number, square

_LONGEST_EDGE_OF_ANY = 4096  # Idefics3ImageProcessor goes no further, whatever its settings say


def split(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """SmolVLM and Idefics 3: tiles of the enlarged picture, and the whole picture as one more."""
    rows, columns = rows_and_columns(width, height, settings)
    lengths = ONE_EACH | settings.get("marker_lengths", {})
    tiles, markers = rows * columns + 1, lengths["global"] + 2  # one frame token before the whole picture and one after it
    if rows:
        # A frame token and a position for each tile; a line break after each row, the last one together with the blank line's.
        markers += rows * columns * (1 + lengths["tile"]) + (rows - 1) + lengths["blank_line"]
    return tiles, tiles * _tokens_of_a_tile(settings), markers


def rows_and_columns(width: int, height: int, settings: Mapping) -> tuple[int, int]:
    """The same steps, rounding and all, as ``Idefics3ImageProcessor`` and ``SmolVLMImageProcessor``; (0, 0): no cut."""
    tile = edge(settings, "max_image_size")
    if not settings.get("do_image_splitting", True):
        return 0, 0
    # First the longest edge becomes that of the settings, also where the picture is smaller; the other edge is made even.
    longest, ratio = edge(settings, "size"), width / height
    if width >= height:
        width, height = longest, int(longest / ratio)
        height += height % 2
    else:
        width, height = int(longest * ratio), longest
        width += width % 2
    width, height = max(width, 1), max(height, 1)
    ratio = width / height
    if width >= height and width > _LONGEST_EDGE_OF_ANY:
        width, height = _LONGEST_EDGE_OF_ANY, max(int(_LONGEST_EDGE_OF_ANY / ratio), 1)
    elif height > _LONGEST_EDGE_OF_ANY:
        width, height = max(int(_LONGEST_EDGE_OF_ANY * ratio), 1), _LONGEST_EDGE_OF_ANY
    # Then both edges are rounded up to whole tiles, the shorter one from what the longer one has become.
    ratio = width / height
    if width >= height:
        columns = math.ceil(width / tile)
        rows = math.ceil(int(columns * tile / ratio) / tile)
    else:
        rows = math.ceil(height / tile)
        columns = math.ceil(int(rows * tile * ratio) / tile)
    return (rows, columns) if max(rows, columns) > 1 else (0, 0)


def quarters(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """Idefics 2: four quarters and the whole, or the whole alone, with a frame token between and around them."""
    tiles = 5 if settings["do_image_splitting"] else 1
    return tiles, tiles * number(settings, "image_seq_len"), tiles + 1


def canvas(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """InternVL: the canvas of whole tiles whose shape is nearest the picture's, and the whole; one token before, one after."""
    most, tiles = number(settings, "max_patches"), 1
    if settings.get("crop_to_patches", True) and most > 1:
        across, down = _nearest_canvas(width, height, *square(settings), settings.get("min_patches", 1), most)
        tiles += across * down if across * down > 1 else 0
    return tiles, tiles * number(settings, "image_seq_length"), 2


@lru_cache
def _canvases(fewest: int, most: int) -> list[tuple[int, int]]:
    sides = range(1, most + 1)
    return sorted(
        ((across, down) for across in sides for down in sides if fewest <= across * down <= most),
        key=lambda canvas: canvas[0] * canvas[1],
    )


def _nearest_canvas(width: int, height: int, tile_height: int, tile_width: int, fewest: int, most: int) -> tuple[int, int]:
    """transformers' ``get_optimal_tiled_canvas``: of two as near, the larger one while the picture fills half of it."""
    best, smallest = (1, 1), math.inf
    for across, down in _canvases(fewest, most):
        difference = abs(width / height - across / down)
        fills_half = width * height > 0.5 * tile_height * tile_width * across * down
        if difference < smallest or (difference == smallest and fills_half):
            best, smallest = (across, down), difference
    return best


def _tokens_of_a_tile(settings: Mapping) -> int:
    if settings.get("image_seq_len"):
        return number(settings, "image_seq_len")
    patches = edge(settings, "max_image_size") // number(settings, "patch_size")  # on a side
    return patches**2 // number(settings, "scale_factor") ** 2

"""How many tokens a picture becomes, from its size and the processor's settings: arithmetic, without the picture.

Two ways of feeding pictures of any size to a vision tower:

- Idefics 3 and SmolVLM *split*: the picture is enlarged or reduced to a fixed longest edge, cut into square tiles, and the
  whole picture follows as one more tile. Every tile becomes the same number of image tokens.
- Qwen2-VL and Qwen2.5-VL *fit*: the picture is rounded to whole patches, within limits on its area, and every square of
  patches becomes one token.
"""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass

from helpers.models.names import find_model, unknown_model

_LONGEST_EDGE_OF_ANY = 4096  # Idefics3ImageProcessor goes no further, whatever its settings say
_LARGEST_RATIO = 200  # Qwen2VLImageProcessor refuses pictures more elongated than that

# `marker_lengths`: tokens of the text that frames the tiles, which the tokenizer decides. SmolVLM2's has a token for each of
# `<row_1_col_1>`, `<global-img>` and the blank line. SmolVLM-Instruct's vocabulary ends with the frame, the image token and the
# end of an utterance (49,152 words of SmolLM2 and three more): its rows and columns are spelled out, "<", "row", "_", "1", ...
_ONE_EACH = {"tile": 1, "global": 1, "blank_line": 1}
_SPELLED = {"tile": 9, "global": 5, "blank_line": 1}
_LARGE = {"size": {"longest_edge": 1536}, "max_image_size": {"longest_edge": 384}, "patch_size": 14, "scale_factor": 3}
_SMALL = {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}, "patch_size": 16, "scale_factor": 4}
# Qwen's model cards: 4 to 16,384 tokens a picture by default, each of 28 x 28 pixels.
_QWEN = {"patch_size": 14, "merge_size": 2, "min_pixels": 4 * 28 * 28, "max_pixels": 16384 * 28 * 28}

PROCESSORS: dict[str, dict] = {
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": _LARGE,
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": _SMALL,
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": _SMALL,
    "HuggingFaceTB/SmolVLM-Instruct": _LARGE | {"marker_lengths": _SPELLED},
    "Qwen/Qwen2-VL-2B-Instruct": _QWEN,
    "Qwen/Qwen2-VL-7B-Instruct": _QWEN,
    "Qwen/Qwen2.5-VL-3B-Instruct": _QWEN,
    "embedded": {
        "size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 128}, "patch_size": 8, "scale_factor": 2,
        "do_image_splitting": False, "marker_lengths": _ONE_EACH | {"blank_line": 2},
    },
}  # fmt: skip


@dataclass(frozen=True)
class ImageTokens:
    """``image_tokens``: those that the vision tower fills. ``marker_tokens``: the text around them. ``total``: both."""

    tiles: int
    image_tokens: int
    marker_tokens: int
    total: int

    def cut_by(self, max_length: int | None, text_tokens: int = 0) -> int:
        """How many of them a trainer's ``max_length`` cuts off, after ``text_tokens`` in front of the picture.

        Sequences are cut at the end: whatever follows the picture, question and answer, is gone before. None cuts nothing.
        """
        if max_length is None:
            return 0
        if max_length < 1 or text_tokens < 0:
            raise ValueError(f"max_length is {max_length} and text_tokens {text_tokens}; they are at least 1 and 0")
        return min(self.total, max(0, text_tokens + self.total - max_length))


def count_image_tokens(width: int, height: int, processor: str | Mapping) -> ImageTokens:
    """The tokens of a picture of ``width`` x ``height`` pixels.

    ``processor``: a name in ``PROCESSORS``, with or without its owner, or a dict of settings. Processors that split have
    ``size`` and ``max_image_size``, each with a ``longest_edge``, and ``image_seq_len`` or ``patch_size`` and ``scale_factor``;
    processors that fit have ``patch_size``, ``merge_size``, ``min_pixels`` and ``max_pixels``.
    ValueError for a size or settings that don't serve, saying what would.
    """
    width, height = _pixels("width", width), _pixels("height", height)
    settings = _settings(processor)
    if "merge_size" in settings:
        rows, columns = _fit(width, height, settings)
        markers = 2  # <|vision_start|> and <|vision_end|>, which Qwen's chat template puts around the picture
        return ImageTokens(1, rows * columns, markers, rows * columns + markers)
    rows, columns = tile_grid(width, height, settings)
    lengths = _ONE_EACH | settings.get("marker_lengths", {})
    tiles, markers = rows * columns + 1, lengths["global"] + 2  # one frame token before the whole picture and one after it
    if rows:
        # A frame token and a position for each tile; a line break after each row, the last one together with the blank line's.
        markers += rows * columns * (1 + lengths["tile"]) + (rows - 1) + lengths["blank_line"]
    image_tokens = tiles * _tokens_of_a_tile(settings)
    return ImageTokens(tiles, image_tokens, markers, image_tokens + markers)


def tile_grid(width: int, height: int, processor: str | Mapping) -> tuple[int, int]:
    """(rows, columns) of tiles that a splitting processor cuts a picture into, the whole picture not counted; (0, 0): none.

    The same steps, rounding and all, as transformers' ``Idefics3ImageProcessor`` and ``SmolVLMImageProcessor``.
    """
    settings = _settings(processor)
    tile = _edge(settings, "max_image_size")
    if not settings.get("do_image_splitting", True):
        return 0, 0
    # First the longest edge becomes that of the settings, also where the picture is smaller; the other edge is made even.
    longest, ratio = _edge(settings, "size"), width / height
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


def _fit(width: int, height: int, settings: Mapping) -> tuple[int, int]:
    """(rows, columns) of image tokens: transformers' ``smart_resize``, in units of ``patch_size * merge_size`` pixels."""
    if max(width, height) / min(width, height) > _LARGEST_RATIO:
        raise ValueError(f"{width} x {height}: Qwen's processor takes pictures up to {_LARGEST_RATIO} times as long as wide")
    size = settings.get("size", {})
    unit = _number(settings, "patch_size") * settings["merge_size"]
    smallest = settings.get("min_pixels") or size.get("shortest_edge") or _number(settings, "min_pixels")
    largest = settings.get("max_pixels") or size.get("longest_edge") or _number(settings, "max_pixels")
    rows, columns = round(height / unit), round(width / unit)
    if rows * columns * unit**2 > largest:
        shrink = math.sqrt(height * width / largest)
        return max(1, math.floor(height / shrink / unit)), max(1, math.floor(width / shrink / unit))
    if rows * columns * unit**2 < smallest:
        grow = math.sqrt(smallest / (height * width))
        return math.ceil(height * grow / unit), math.ceil(width * grow / unit)
    return rows, columns


def _tokens_of_a_tile(settings: Mapping) -> int:
    if settings.get("image_seq_len"):
        return settings["image_seq_len"]
    patches = _edge(settings, "max_image_size") // _number(settings, "patch_size")  # on a side
    return patches**2 // _number(settings, "scale_factor") ** 2


def _settings(processor: str | Mapping) -> Mapping:
    if isinstance(processor, Mapping):
        return processor
    if (name := find_model(processor, PROCESSORS)) is None:
        raise ValueError(f"{unknown_model(processor, PROCESSORS)}; or give a dict of settings")
    return PROCESSORS[name]


def _number(settings: Mapping, key: str) -> int:
    if not isinstance(settings.get(key), int) or settings[key] < 1:
        raise ValueError(
            f"the processor's settings have no {key}: they need size and max_image_size with a longest_edge and image_seq_len "
            "(or patch_size and scale_factor), as SmolVLM's, or patch_size, merge_size, min_pixels and max_pixels, as Qwen's"
        )
    return settings[key]


def _edge(settings: Mapping, key: str) -> int:
    return _number({f"{key} with a longest_edge": (settings.get(key) or {}).get("longest_edge")}, f"{key} with a longest_edge")


def _pixels(name: str, value: int) -> int:
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; it is a whole number of pixels") from None
    if value < 1:
        raise ValueError(f"{name} is {value}; it is at least 1 pixel")
    return value

"""How many tokens a picture becomes, from its size and the processor's settings: each family has a rule of its own.

- *Split* it (SmolVLM, Idefics 3, InternVL, Idefics 2): tiles of one size, and the whole picture as one more. Every tile becomes
  the same number of tokens.
- *Fit* it (Qwen, GLM-4V, Pixtral, Mistral 3): rounded to whole patches, within limits on its area or its longest edge.
- A *fixed number* (Gemma 3, PaliGemma, LLaVA 1.5): every picture is pressed into one square.
- A *grid* (LLaVA-NeXT, LLaVA-OneVision): the square, and a grid of squares, chosen by the picture's shape, without its margins.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from helpers.models.patch_rules import fit, fitted, grid, rows
from helpers.models.processor_settings import NEEDED, is_processor, named_settings, number, read_settings, square
from helpers.models.tile_rules import canvas, quarters, rows_and_columns, split

_TRIED = 300, 180  # pixels: enough for most processors to cut or to shrink


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


def count_image_tokens(width: int, height: int, processor) -> ImageTokens:
    """The tokens of a picture of ``width`` x ``height`` pixels.

    ``processor``: a name in ``PROCESSORS``, with or without its owner; a dict of settings, as the model's
    ``preprocessor_config.json`` and ``processor_config.json`` have them; or a processor of transformers, through which a blank
    picture of that size goes: up to a second, so for many sizes give ``settings_of(processor)``. ``image_tokens``: as many as
    there are ``model.config.image_token_id`` in a prompt. ``marker_tokens``: of a name or dict those that the processor writes
    (and Qwen's template), of a processor all others that the picture adds to a prompt of its template.
    ValueError for a size or settings that don't serve, saying what would.
    """
    width, height = _pixels("width", width), _pixels("height", height)
    if is_processor(processor):
        from helpers.models.processed import look  # here: counting by rule needs neither pictures nor torch

        tiles, image_tokens, markers = look(width, height, processor)
    else:
        tiles, image_tokens, markers = _by_rule(width, height, named_settings(processor))
    return ImageTokens(tiles, image_tokens, markers, image_tokens + markers)


def settings_of(processor) -> Mapping:
    """A processor's settings, with which :func:`count_image_tokens` counts the same in microseconds.

    Read from its attributes, and held against what it really does with one picture. ValueError if no rule here is its own:
    ``count_image_tokens`` with the processor itself still counts, by looking at what it does.
    """
    if not is_processor(processor):
        return named_settings(processor)
    from helpers.models.processed import look

    tiles, image_tokens, markers = look(*_TRIED, processor)
    settings = read_settings(processor)
    try:
        counted = _by_rule(*_TRIED, settings)
    except ValueError:  # a rule's name for something else
        counted = None, None, None
    if counted[:2] != (tiles, image_tokens):
        raise ValueError(f"{type(processor).__name__} follows none of the rules: give count_image_tokens the processor itself")
    return settings | {"marker_tokens": markers - counted[2]}


def tile_grid(width: int, height: int, processor: str | Mapping) -> tuple[int, int]:
    """(rows, columns) of tiles that SmolVLM or Idefics 3 cuts a picture into, the whole picture not counted; (0, 0): none."""
    return rows_and_columns(_pixels("width", width), _pixels("height", height), named_settings(processor))


def fitted_size(width: int, height: int, processor: str | Mapping) -> tuple[int, int]:
    """(width, height) in pixels to which Qwen's or GLM-4V's processor resizes a picture, between its limits."""
    return fitted(_pixels("width", width), _pixels("height", height), named_settings(processor))


def _fixed(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """Gemma 3, PaliGemma, LLaVA 1.5: the same number for every picture."""
    if "image_seq_length" in settings:
        tokens = number(settings, "image_seq_length")
    else:
        down, across = (side // number(settings, "patch_size") for side in square(settings))
        tokens = down * across + settings.get("num_additional_image_tokens", 0)
        tokens -= settings.get("vision_feature_select_strategy") == "default"
    return 1, tokens, 0


# By the setting that only this rule has; the first that is there decides.
_RULES: dict[str, Callable] = {
    "merge_size": fit,
    "max_image_size": split,
    "image_grid_pinpoints": grid,
    "max_patches": canvas,
    "spatial_merge_size": rows,
    "image_break_token": rows,
    "image_seq_length": _fixed,
    "crop_size": _fixed,
    "do_image_splitting": quarters,
}


def _by_rule(width: int, height: int, settings: Mapping) -> tuple[int, int, int]:
    """``marker_tokens`` of the settings: those that come with every picture besides the rule's."""
    rule = next((rule for key, rule in _RULES.items() if settings.get(key) is not None), None)
    if rule is None:
        raise ValueError(f"no rule is known for settings of {', '.join(settings) or 'nothing'}; {NEEDED}")
    tiles, image_tokens, markers = rule(width, height, settings)
    return tiles, image_tokens, markers + settings.get("marker_tokens", 0)


def _pixels(name: str, value: int) -> int:
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}; it is a whole number of pixels") from None
    if value < 1:
        raise ValueError(f"{name} is {value}; it is at least 1 pixel")
    return value

"""What the exercises of lesson 00 check: a picture's tokens, what a cut takes away, and the prompt."""

import math
from functools import partial

from helpers.exercises.checks import Case, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.prompt_problem import prompt_problem
from helpers.models import count_image_tokens


def image_tokens(width, height, longest_edge, tile, tokens_per_tile):
    settings = {"size": {"longest_edge": longest_edge}, "max_image_size": {"longest_edge": tile}}
    return count_image_tokens(width, height, settings | {"image_seq_len": tokens_per_tile}).image_tokens


def _tokens(width, height, longest_edge, tile, tokens_per_tile, *, scaled=None, whole=1, rounded=math.ceil, alone=False):
    """The tokens with a thing done otherwise; with ``alone``, the whole picture follows a single tile too."""
    scale = longest_edge / max(width, height)
    scale = scaled(scale) if scaled else scale
    columns, rows = (rounded(round(side * scale) / tile) for side in (width, height))
    tiles = rows * columns
    return (tiles + (whole if tiles > 1 or alone else 0)) * tokens_per_tile


# Whoever makes one of these may also let the whole picture follow a single tile: each is looked for with that and without.
_SLIPS = (
    ({"whole": 0}, "the whole picture, as one more tile, is missing"),
    (
        {"scaled": lambda scale: 1},
        "the picture is cut at its own size: it must be scaled first, so that its longest edge is longest_edge",
    ),
    (
        {"scaled": lambda scale: min(1, scale)},
        "small pictures are not enlarged: the longest edge becomes longest_edge in both directions",
    ),
    ({"rounded": math.floor}, "a tile that is only partly filled is a tile too: round the number of tiles up"),
)
_MISTAKES = [(partial(_tokens, **slip, alone=alone), message) for slip, message in _SLIPS for alone in (False, True)]
_MISTAKES += [
    (partial(_tokens, alone=True), "where the picture is a single tile, that tile is the whole picture: nothing follows it"),
    (
        lambda w, h, e, t, n: _tokens(w, h, e, t, 1),
        "that is the number of tiles; each becomes tokens_per_tile tokens",
    ),
]

_SIZES = [
    Case((850, 600, 1536, 384, 81)),
    Case((600, 850, 2048, 512, 64)),
    Case((1600, 300, 1536, 384, 81)),
    Case((2000, 2000, 1024, 512, 64), "A picture larger than longest_edge is reduced to it."),
    Case((300, 200, 1536, 384, 81), "A picture smaller than longest_edge is enlarged to it first."),
    Case((333, 1000, 2048, 512, 64)),
    Case((300, 300, 512, 512, 64), "A picture that is a single tile is handed over as that tile alone."),
]


def lost_tokens(before, image, after, max_length):
    if max_length is None:
        return 0, 0
    return min(image, max(0, before + image - max_length)), min(after, max(0, before + image + after - max_length))


_CUTS = [
    Case((20, 1053, 30, 1024)),
    Case((20, 81, 30, 1024), "Nothing is lost where everything fits."),
    Case((20, 81, 30, 110)),
    Case((20, 81, 30, None), "max_length=None cuts nothing."),
    Case((50, 1377, 12, 40)),
    Case((20, 81, 30, 131)),
]


QUESTIONS = {
    "q1": Question(
        Number(
            "tokens",
            lambda: count_image_tokens(300, 300, "SmolVLM2-2.2B").image_tokens,
            "image tokens",
            "A small square picture costs more than a wide large one: what counts is the shape, since every picture is "
            "enlarged. Before a training, count the tokens of your own pictures.",
            mistakes=lambda: {
                16 * 81: "those are the tiles alone: the whole picture follows as one more tile",
                81: "300 pixels would fit one tile, but the picture is enlarged to the longest edge before it is cut",
                2 * 81: "300 pixels would fit one tile, but the picture is enlarged to the longest edge before it is cut",
                1053: "that is the lesson's picture of 850 x 600: a square one gets as many rows as columns",
                17 * 64: "64 tokens a tile are SmolVLM2-500M's: 32 x 32 patches, joined 4 x 4. Here it is 27 x 27, "
                "joined 3 x 3",
                17: "those are the tiles; each becomes 81 tokens",
            },
        ),
        (
            "The longest edge becomes 1,536 pixels, whatever the picture's size. How long is the other edge of a square?",
            "Tiles of 384 pixels: four to a row, and how many rows? Add one for the whole picture, and multiply by 81.",
        ),
    ),
    "q2": Question(
        Function(
            "image_tokens",
            image_tokens,
            _SIZES,
            "Four lines of arithmetic tell which pictures exceed a max_length, before any model is loaded.",
            mistakes=_MISTAKES,
        ),
        (
            "First the scale: longest_edge divided by the longer side. Then columns and rows, each rounded up.",
            "rows * columns + 1 tiles (1 if that one is all), times tokens_per_tile. Round the scaled side to whole pixels "
            "before you divide by tile.",
        ),
    ),
    "q3": Question(
        Value(
            "build_prompt",
            prompt_problem,
            "Three words decide whether a model answers at all: the image placeholder, the system turn, and "
            "add_generation_prompt.",
        ),
        (
            "Print what broken_prompt returns, and compare it with the prompt in lesson 00, turn by turn.",
            "Two messages, system and user; the user's content is a list of an image and a text; and one argument of "
            "apply_chat_template opens the assistant's turn.",
        ),
    ),
    "q4": Question(
        Function(
            "lost_tokens",
            lost_tokens,
            _CUTS,
            "The question and the answer come after the picture, so they are the first to go: a training whose answers are "
            "cut off has nothing to learn, and says so to nobody.",
            mistakes=(
                (
                    lambda b, i, a, m: (0, 0) if m is None else (min(i, max(0, i - m)), min(a, max(0, i + a - m))),
                    "the tokens in front of the picture take up room too: count `before`",
                ),
                (
                    lambda b, i, a, m: (0, 0) if m is None else (b + i - m, b + i + a - m),
                    "a part can lose neither less than nothing nor more than it has: clip at 0 and at its length",
                ),
                (
                    lambda b, i, a, m: (0, 0) if m is None else (min(i, max(0, i + a - m)), min(a, max(0, a - m))),
                    "it is the end that is cut, not the beginning: keep_start is TRL's default",
                ),
                (
                    lambda b, i, a, m: lost_tokens(b, i, a, m)[::-1],
                    "the order: first what the picture loses, then what comes after it",
                ),
            ),
        ),
        (
            "Where does the picture end, counted from the start? What of it lies beyond max_length?",
            "lost = max(0, before + image - max_length), but not more than image; the same with `after` added. None: (0, 0).",
        ),
    ),
}

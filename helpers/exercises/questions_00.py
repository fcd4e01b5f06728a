"""What the exercises of lesson 00 check: a picture's tokens, what a cut takes away, and the prompt."""

import math

from helpers.exercises.checks import Case, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.learner import call
from helpers.models import count_image_tokens


def image_tokens(width, height, longest_edge, tile, tokens_per_tile):
    settings = {"size": {"longest_edge": longest_edge}, "max_image_size": {"longest_edge": tile}}
    return count_image_tokens(width, height, settings | {"image_seq_len": tokens_per_tile}).image_tokens


def _tiles(width, height, longest_edge, tile, *, scale=None, whole=1, rounded=math.ceil):
    scale = longest_edge / max(width, height) if scale is None else scale
    columns, rows = (rounded(round(side * scale) / tile) for side in (width, height))
    return rows * columns + whole


_SIZES = [
    Case((850, 600, 1536, 384, 81)),
    Case((600, 850, 2048, 512, 64)),
    Case((1600, 300, 1536, 384, 81)),
    Case((2000, 2000, 1024, 512, 64), "A picture larger than longest_edge is reduced to it."),
    Case((300, 200, 1536, 384, 81), "A picture smaller than longest_edge is enlarged to it first."),
    Case((333, 1000, 2048, 512, 64)),
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


def _prompt_problem(build_prompt) -> str | None:
    # Imported here: only this exercise needs the libraries of a model, and they take seconds to import.
    from helpers.models import chat, load_processor

    processor = load_processor("embedded")
    for question, system in (
        ("What is the value for Chile?", "Answer with a single word or number."),
        ("Which name is last?", "Answer in French."),
    ):
        prompt = call(build_prompt, (question, system), "build_prompt")
        closed = processor.apply_chat_template(chat(question, system))
        opening = processor.apply_chat_template(chat(question, system), add_generation_prompt=True).removeprefix(closed)
        if not isinstance(prompt, str):
            return f"build_prompt returned a {type(prompt).__name__}; it is the text that the template makes, not ids"
        if prompt.count("<image>") != 1:
            return (
                f"the prompt has {prompt.count('<image>')} placeholders for one picture: the user's content needs one "
                '{"type": "image"}, before the text'
            )
        if system not in prompt:
            return "the instruction is not in the prompt: it is a turn of its own, with the role system, before the user's"
        if question not in prompt or prompt.index(system) > prompt.index(question):
            return "the turns are out of order: first the system's instruction, then the user's picture and question"
        if not prompt.endswith(opening):
            return "the prompt ends after the question, so that the model goes on with the user's turn: add_generation_prompt"
    return None


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
            mistakes=(
                (lambda w, h, e, t, n: _tiles(w, h, e, t, whole=0) * n, "the whole picture, as one more tile, is missing"),
                (
                    lambda w, h, e, t, n: _tiles(w, h, e, t, scale=1) * n,
                    "the picture is cut at its own size: it must be scaled first, so that its longest edge is longest_edge",
                ),
                (
                    lambda w, h, e, t, n: _tiles(w, h, e, t, scale=min(1, e / max(w, h))) * n,
                    "small pictures are not enlarged: the longest edge becomes longest_edge in both directions",
                ),
                (
                    lambda w, h, e, t, n: _tiles(w, h, e, t, rounded=math.floor) * n,
                    "a tile that is only partly filled is a tile too: round the number of tiles up",
                ),
                (lambda w, h, e, t, n: _tiles(w, h, e, t), "that is the number of tiles; each becomes tokens_per_tile tokens"),
            ),
        ),
        (
            "First the scale: longest_edge divided by the longer side. Then columns and rows, each rounded up.",
            "rows * columns + 1 tiles, times tokens_per_tile. Round the scaled side to whole pixels before you divide by tile.",
        ),
    ),
    "q3": Question(
        Value(
            "build_prompt",
            _prompt_problem,
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

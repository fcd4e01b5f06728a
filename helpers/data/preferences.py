"""Open preference pairs from anywhere, in the one form that TRL's ``DPOTrainer`` takes for pictures.

Public collections write the same thing in different ways: messages of parts or of plain text, one picture or a list, the prompt
apart from the answers or as the beginning of both.
"""

from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Image, List, Value, concatenate_datasets

from helpers.data.columns import PICTURES, first_of, many_pictures, refuse, turns
from helpers.data.pictures import image_problem, open_picture
from helpers.data.rows import check_choices, select_good, text_problem
from helpers.data.sources import Layout, open_rows
from helpers.data.stored import only_opens
from helpers.paths import EMBEDDED_PREFERENCES

_MESSAGES = List({"role": Value("string"), "content": Value("string")})
# What a judge needs to know of the chart (helpers.evaluation.judge_answer); only the embedded pairs carry it.
TRUTH = {
    "entity": Value("string"), "value": Value("float64"), "unit": Value("string"), "rejected_kind": Value("string")
}  # fmt: skip
PAIR_FEATURES = Features({"images": List(Image()), "prompt": _MESSAGES, "chosen": _MESSAGES, "rejected": _MESSAGES, **TRUTH})
_PROMPT = ("prompt", "question", "conversations", "query")


def load_preferences(
    source: str | Path, split: str, limit: int | None = None, on_error: str = "raise", seed: int = 0
) -> Dataset:
    """Rows with TRL's columns ``images, prompt, chosen, rejected``; the pictures become upright RGB when a row is used.

    ``images``: a list, mostly of one. The others are lists of messages, ``{"role", "content"}``, the content plain text:
    TRL itself puts the pictures' placeholders before the first user turn. The embedded pairs also have the truth:
    ``entity, value`` (None where the chart lacks it) ``, unit, rejected_kind``.

    ``source``: ``"embedded"``; a hub id, ``owner/name`` or ``owner/name@revision``; a folder or glob of parquet files with
    the split in their names; one parquet file. Their columns are those above (as in HuggingFaceH4/rlaif-v_formatted) or
    ``image, question, chosen, rejected`` (as in openbmb/RLAIF-V-Dataset); the prompt may also be called ``conversations`` or
    be the beginning of both answers, which is split off. A split that the source lacks is a tenth of train's images, which
    ``"train"`` then leaves out.
    ``limit``: that many rows, drawn with ``seed``. ``on_error``: ``"raise"`` a ``BadRowError`` at the first bad row, or
    ``"skip"`` and print which were dropped.
    """
    check_choices(split, on_error, limit)
    rows, numbers = open_preferences(source, split)
    good = select_good(rows, numbers, pair_problem, str(source), split, limit, on_error, seed)
    return good.remove_columns("problem").cast_column("images", List(Image())).with_transform(_opened)


def open_preferences(source: str | Path, split: str) -> tuple[Dataset, np.ndarray]:
    """The split's rows, unchecked, and each one's number in the source."""
    return open_rows(str(source), split, _LAYOUT)


def _opened(batch: dict) -> dict:
    if "images" not in batch:
        return batch
    return {**batch, "images": [[open_picture(image) for image in images] for images in batch["images"]]}


def questions_of(pairs: Dataset) -> Dataset:
    """Pairs as rows for :func:`helpers.evaluation.generate_answers`: ``image``, and ``query``, the last turn.

    ValueError names a row with several pictures: none of them may be left out in silence.
    """
    counts = [len(images) for images in pairs.with_format(None).cast_column("images", List(Image(decode=False)))["images"]]
    several = next((at for at, count in enumerate(counts) if count != 1), None)
    if several is not None:
        raise ValueError(f"row {several} has {counts[several]} pictures: its question can't be asked about one of them alone")
    return pairs.with_transform(_asked)


@only_opens
def _asked(batch: dict) -> dict:
    asked = {"query": [prompt[-1]["content"] for prompt in batch["prompt"]]} if "prompt" in batch else {}
    if "images" in batch:
        asked["image"] = [open_picture(images[0]) for images in batch["images"]]
    return asked


def pair_problem(row: dict) -> str | None:
    """What is wrong with a row, in words, or None."""
    if row["problem"]:
        return row["problem"]
    asked = [message["content"] for message in row["prompt"] if message["role"] == "user"]
    if not any(text.strip() for text in asked):
        return "the question is empty"
    texts = [("question", text) for text in asked if text]
    sides = {side: "\n".join(message["content"] for message in row[side]).strip() for side in ("chosen", "rejected")}
    texts += [(f"{side} answer", text) for side, text in sides.items()]
    if problem := next(filter(None, (text_problem(*text) for text in texts)), None):
        return problem
    if sides["chosen"] == sides["rejected"]:
        return "the chosen and the rejected answer are the same: there is nothing to prefer"
    return next(filter(None, map(image_problem, row["images"] or [None])), None)


def _with_trl_columns(rows: Dataset, source: str, folder: Path) -> Dataset:
    pictures, asked = first_of(rows, PICTURES[::-1]), first_of(rows, _PROMPT)
    if pictures is None or "chosen" not in rows.column_names or "rejected" not in rows.column_names:
        raise refuse(rows, "images (or image), prompt (or question), chosen, rejected", source)
    truth = list(TRUTH) if TRUTH.keys() <= set(rows.column_names) else []  # one alone is somebody's own column of that name
    texts = rows.select_columns([*([asked] if asked else []), "chosen", "rejected", *truth])
    prompts = [turns(value, "user") for value in texts[asked]] if asked else [None] * len(rows)
    sides = [[turns(value, "assistant") for value in texts[side]] for side in ("chosen", "rejected")]
    split = [_split(*row) for row in zip(prompts, *sides, strict=True)]
    messages = {name: [row[at] for row in split] for at, name in enumerate(("prompt", "chosen", "rejected"))}
    messages |= {column: list(texts[column]) for column in truth}
    features = Features({column: PAIR_FEATURES[column] for column in messages})
    said = [name for name in (pictures, asked) if name not in ("images", "prompt", None)]
    if said:
        print(f"{source}: {', '.join(said)} taken for TRL's columns images, prompt, chosen, rejected")
    if any(before != (row[1], row[2]) for before, row in zip(zip(*sides, strict=True), split, strict=True)):
        print(f"{source}: chosen and rejected hold whole conversations; their common beginning is taken for the prompt")
    images, made = many_pictures(rows, pictures, folder), Dataset.from_dict(messages, features=features)
    return concatenate_datasets([images, made], axis=1).add_column("problem", [row[3] for row in split])


_ADVICE = "Name the files train.parquet, test.parquet, or give one parquet file: it is split by image."
_LAYOUT = Layout(EMBEDDED_PREFERENCES, "images", _with_trl_columns, _ADVICE, carved=("test", "val"))


def _split(prompt: list[dict] | None, chosen: list[dict], rejected: list[dict]):
    """(prompt, chosen, rejected, problem), the answers without the conversation that they may begin with."""
    begin, other = chosen[:-1], rejected[:-1]
    if not begin and not other:
        problem = (
            None if prompt is not None else "there is no question: neither a prompt nor a conversation in chosen and rejected"
        )
    elif _said(begin) != _said(other):
        problem = "chosen and rejected are conversations that begin differently: there is no common question"
    elif _instructions(begin) != _instructions(other):
        problem = "chosen and rejected begin with different system turns: an answer can't be preferred under two instructions"
    elif prompt is not None and _said(begin)[-len(_said(prompt)) :] != _said(prompt):
        problem = "chosen and rejected are conversations that don't begin with the prompt: give the answers alone"
    else:
        problem = None
    asked = prompt if prompt is not None and len(prompt) >= len(begin) else begin
    answers = chosen[-1:], rejected[-1:]
    roles = {message["role"] for answer in answers for message in answer}
    if problem is None and roles - {"assistant"}:
        problem = f"an answer is said by {', '.join(sorted(roles - {'assistant'}))}, not by the assistant"
    if problem is None and asked and asked[-1]["role"] != "user":
        problem = f"the prompt ends with a turn of the {asked[-1]['role']}, not with a question"
    return asked or [], *answers, problem


def _said(messages: list[dict]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"].strip()) for message in messages if message["role"] != "system"]


def _instructions(messages: list[dict]) -> list[str]:
    return [message["content"].strip() for message in messages if message["role"] == "system"]

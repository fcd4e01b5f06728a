"""Open ChartQA-like data from anywhere: rows stay on disk until they are used, and bad rows are named, not met in training."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, Features, Image, List, Value, concatenate_datasets

from helpers.data.columns import PICTURES, first_of, one_picture, refuse, turns
from helpers.data.pictures import image_problem, open_picture
from helpers.data.questions_csv import CsvRow, find_csv, find_picture, read_questions
from helpers.data.rows import check_choices, select_good, text_problem
from helpers.data.sources import Layout, image_key, open_rows, split_by_image
from helpers.data.stored import only_opens
from helpers.paths import EMBEDDED_CHARTQA, resolve

FEATURES = Features(  # of HuggingFaceM4/ChartQA
    image=Image(), query=Value("string"), label=List(Value("string")), human_or_machine=ClassLabel(names=["human", "machine"])
)
COLUMNS = tuple(FEATURES)
_QUERY, _LABEL, _ORIGIN = ("query", "question"), ("label", "answer", "answers", "labels"), ("human_or_machine", "type")
_CONVERSATION = ("conversations", "messages")
_STORED = Features({**FEATURES, "image": Image(decode=False)})


def load_chartqa(source: str | Path, split: str, limit: int | None = None, on_error: str = "raise", seed: int = 0) -> Dataset:
    """Rows with the hub's columns ``image, query, label, human_or_machine``; each image becomes upright RGB when it is used.

    ``source``: ``"embedded"`` (ChartQA-mini); a hub id, ``owner/name`` or ``owner/name@revision``; a folder with
    ``questions.csv`` (columns ``image,question,answer``) or one parquet file, both split 80/10/10 by image; a folder or
    glob of parquet files with the split in their names. Parquet files may call their columns ``question`` and ``answer``, as
    lmms-eval does, or hold ``conversations``; a label may be a list of alternatives, of which a training takes the first.
    ``limit``: that many rows, drawn with ``seed``. ``on_error``: ``"raise"`` a :class:`BadRowError` at the first bad row, or
    ``"skip"`` and print which were dropped. ValueError and FileNotFoundError say what to mend.
    """
    check_choices(split, on_error, limit)
    rows, numbers, lines = open_chartqa(source, split)
    good = select_good(rows, numbers, question_problem, str(source), split, limit, on_error, seed, lines)
    _say_contradictions(good, str(source))
    return good.select_columns(list(COLUMNS)).cast_column("image", Image()).with_transform(_opened)


def open_chartqa(source: str | Path, split: str) -> tuple[Dataset, np.ndarray, list[int] | None]:
    """The split's rows, unchecked; each one's number in the source; and, by that number, its line in a CSV."""
    folder, lines = resolve(source), None
    if _has_csv(folder):
        file = read_questions(find_csv(folder))
        if file.guesses:  # a training takes hours: it doesn't begin on a guess
            line, guess = next(iter(file.guesses.values()))
            raise ValueError(f"{file.path}, line {line}: {guess} (missing: {', '.join(file.guesses)})")
        for line, note in file.notes:
            print(f"{file.path.name}, line {line}: {note}")
        lines = [row.line for row in file.rows]
        rows, numbers = split_by_image(_from_csv(folder, file.rows), split, str(source), "image")
    else:
        rows, numbers = open_rows(str(source), split, _LAYOUT)
    return rows, numbers, lines


@only_opens
def _opened(batch: dict) -> dict:
    return {**batch, "image": [open_picture(image) for image in batch["image"]]} if "image" in batch else batch


def question_problem(row: dict) -> str | None:
    """What is wrong with a row, in words, or None."""
    if row.get("problem"):
        return row["problem"]
    label = row["label"]
    if not isinstance(label, list) or not label:
        return f"the label is {label!r}, not a list of one non-empty string"
    texts = [("question", row["query"]), *(("label", text) for text in label)]
    return next(filter(None, (text_problem(*text) for text in texts)), None) or image_problem(row["image"])


def contradictions(rows: Dataset) -> list[tuple[int, int]]:
    """Pairs of rows that ask the same question about the same picture and give different answers."""
    by_question = defaultdict(list)
    texts = rows.with_format(None).select_columns(["query", "label"])
    for at, (query, label) in enumerate(zip(texts["query"], texts["label"], strict=True)):
        by_question[" ".join(query.lower().split())].append((at, label))
    raw = rows.with_format(None).cast_column("image", Image(decode=False))
    found = []
    for asked in by_question.values():
        if len({str(label) for _, label in asked}) > 1:  # only these need a look at their pictures
            first = {}
            for at, label in asked:
                earlier, given = first.setdefault(image_key(raw[at]["image"]), (at, label))
                if given != label:
                    found.append((earlier, at))
    return found


def _say_contradictions(rows: Dataset, source: str) -> None:
    if found := contradictions(rows):
        one, other = found[0]
        query, labels = rows[one]["query"], (rows[one]["label"][0], rows[other]["label"][0])
        print(
            f"{len(found)} question{'s' * (len(found) > 1)} of {source} asked twice about the same picture with different "
            f"answers, such as {query!r}: {labels[0]!r} and {labels[1]!r}. A training can't learn both"
        )


def _with_hub_columns(rows: Dataset, source: str, folder: Path) -> Dataset:
    image, query, label = first_of(rows, PICTURES), first_of(rows, _QUERY), first_of(rows, _LABEL)
    origin, conversation = first_of(rows, _ORIGIN), first_of(rows, _CONVERSATION)
    if image is None or (conversation is None and (query is None or label is None)):
        raise refuse(rows, "image, query, label (or image, question, answer; or image, conversations)", source)
    pictures, problems = one_picture(rows, image, folder)
    if (image, query, label, origin) == COLUMNS:
        texts = rows.select_columns(list(COLUMNS[1:]))
        if texts.features["label"] == FEATURES["label"] and _is_number(texts.features["human_or_machine"]):
            return concatenate_datasets([pictures, texts], axis=1).add_column("problem", problems)
    if query is None or label is None:
        pairs, wrong = zip(*map(_from_turns, rows.select_columns([conversation])[conversation]), strict=True)
        queries, labels = map(list, zip(*pairs, strict=True))
        problems = [one or other for one, other in zip(problems, wrong, strict=True)]
        taken = [conversation]
    else:
        queries = [_as_text(value, "question") for value in rows.select_columns([query])[query]]
        labels = _lists(rows.select_columns([label]), label)
        taken = [query, label]
    origins = [_origin(value) for value in rows.select_columns([origin])[origin]] if origin else [0] * len(rows)
    columns = {"query": list(queries), "label": labels, "human_or_machine": origins}
    texts = Dataset.from_dict(columns, features=Features({name: FEATURES[name] for name in columns}))
    said = [name for name in (image, *taken, origin) if name not in (None, *COLUMNS)]
    print(
        f"{source}: "
        + "; ".join(
            [f"{', '.join(said)} taken for the hub's columns image, query, label, human_or_machine"] * bool(said)
            + ["without human_or_machine, every row counts as human"] * (origin is None)
            + ["labels taken as lists of one text"] * (not said and origin is not None)
        )
    )
    return concatenate_datasets([pictures, texts], axis=1).add_column("problem", problems)


def _is_number(kind: object) -> bool:
    return str(getattr(kind, "dtype", "")).startswith(("int", "uint"))


def _from_turns(value: list[dict] | None) -> tuple[tuple[str, list[str]], str | None]:
    """(question, label) of a conversation, and what is wrong with it."""
    said = [message for message in turns(value or [], "user") if message["role"] != "system"]
    if [message["role"] for message in said] != ["user", "assistant"]:
        return ("", [""]), f"a conversation of {len(said)} turns: one question and one answer are needed"
    return (said[0]["content"], [said[1]["content"]]), None


def _lists(rows: Dataset, column: str) -> list[list[str] | None]:
    """The column's labels as lists of texts. A number of 32 bits is as short as it was there: 0.1, not 0.10000000149."""
    kind = getattr(rows.features[column], "feature", rows.features[column])
    short = getattr(np, kind.dtype) if getattr(kind, "dtype", None) in ("float16", "float32") else float
    lists = (value if isinstance(value, list) or value is None else [value] for value in rows[column])
    return [
        None if items is None else [_as_text(short(item) if isinstance(item, float) else item, "label") for item in items]
        for items in lists
    ]


def _as_text(value: object, name: str) -> str | None:
    """A cell of a column called ``name`` as text; None stays None. TypeError for what is neither text nor a number."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float | np.floating):  # pandas makes whole numbers floats where one cell of a column is empty: NaN
        return None if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dict | bytes | list):
        raise TypeError(f"a {name} is a {type(value).__name__}")
    return str(value)


def _origin(value: object) -> int:
    return int(not value.startswith("human")) if isinstance(value, str) else int(bool(value))


_ADVICE = "Pictures of your own go with a questions.csv: see 'Your own images' in the README."
_LAYOUT = Layout(EMBEDDED_CHARTQA, "image", _with_hub_columns, _ADVICE)


def _has_csv(folder: Path) -> bool:
    return folder.is_dir() and any(path.name.lower() == "questions.csv" for path in folder.iterdir())


def _from_csv(folder: Path, rows: list[CsvRow]) -> Dataset:
    images, problems = [], []
    for row in rows:
        path, problem = None, row.problem
        if row.image:
            try:
                path = str(find_picture(folder, row.image))
            except FileNotFoundError as error:
                path, problem = str(folder / row.image), problem or str(error)
        images.append({"bytes": None, "path": path})
        problems.append(problem)
    columns = {
        "image": images,
        "query": [row.question for row in rows],
        "label": [[row.answer] for row in rows],
        "human_or_machine": [0] * len(rows),
    }
    return Dataset.from_dict(columns, features=_STORED).add_column("problem", problems)

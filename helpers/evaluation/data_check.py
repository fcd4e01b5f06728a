"""Is my data in the right form? Row by row what a training on it would really see, and whether that can work.

The same loaders, collators and template as in lessons 04 and 05 look at it, so that what is said here holds there.
"""

import html
import inspect
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasets import Dataset, Image, List
from transformers import ProcessorMixin

from helpers.data import (
    KINDS_OF_DATA,
    Surveyed,
    check_leaks,
    contradictions,
    image_key,
    kind_of_data,
    open_picture,
    survey_rows,
)
from helpers.evaluation.metrics import relaxed_match
from helpers.models import SHORT_ANSWER, image_token_id
from helpers.training import token_kinds

_SHOWN = 20  # problems in the text; the others are counted
_LOOKED_AT = 32  # rows whose tokens are counted, those with the largest pictures among them
_MASKED = 3  # rows whose label mask is looked at


@dataclass(frozen=True)
class DataReport:
    """``problems``: what has to be mended, in words; none: the data is sound. ``facts``: (name, value), what was found.

    ``good``, ``bad``: rows that can and can't be learnt from.
    """

    source: str
    kind: str
    good: int
    bad: int
    problems: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        lines = [self._headline(), *(f"  {name:22} {value}" for name, value in self.facts)]
        lines += [f"  - {problem}" for problem in self.problems[:_SHOWN]]
        left = len(self.problems) - _SHOWN
        return "\n".join(lines + [f"  - and {left} more"] * (left > 0))

    def _repr_html_(self) -> str:
        rows = "".join(f'<tr><th scope="row">{html.escape(n)}</th><td>{html.escape(v)}</td></tr>' for n, v in self.facts)
        problems = "".join(f"<li>{html.escape(problem)}</li>" for problem in self.problems)
        return f"<p><b>{html.escape(self._headline())}</b></p><table>{rows}</table><ul>{problems}</ul>"

    def _headline(self) -> str:
        verdict = "sound" if self.sound else f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}"
        return f"{self.source}: {verdict}; {self.good} good rows of {self.good + self.bad} ({self.kind})"


def check_dataset(source: str | Path, processor: ProcessorMixin | None = None, *, kind: str | None = None) -> DataReport:
    """Look at every row of ``source``, whatever ``load_chartqa`` or ``load_preferences`` takes.

    ``processor``: of the model that is to be trained; with it tokens and label masks are looked at as well. ``kind``:
    "questions" or "preferences", by default told from the columns. FileNotFoundError if there is nothing to look at; whatever
    is wrong with what is there is a problem of the report.
    """
    if kind not in (None, *KINDS_OF_DATA):
        raise ValueError(f"kind is {kind!r}; it is {' or '.join(KINDS_OF_DATA)}")
    name = str(source)
    try:
        kind = kind or kind_of_data(source)
        splits = survey_rows(source, kind, lambda text: _own_placeholder(text, processor))
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:  # unreadable as a whole
        return DataReport(name, kind or "unknown", 0, 0, [str(error)])
    good, bad = sum(len(split.rows) for split in splits), sum(len(split.problems) for split in splits)
    report = DataReport(name, kind, good, bad)
    report.facts.append(("rows", ", ".join(f"{split.split} {len(split.rows)}" for split in splits)))
    for split in splits:
        report.problems.extend(f"{split.split}, {place}: {problem}" for place, problem in split.problems)
    if good:
        _across_splits(splits, report)
        _pictures(splits, report)
        if kind == "questions":
            _answers(splits, report)
        if processor is not None:
            _tokens(splits, processor, report)
    return report


def _own_placeholder(text: str, processor: ProcessorMixin | None) -> str | None:
    """The processor's own image token in a text asks for a picture that isn't there."""
    holders = processor, getattr(processor, "tokenizer", None)  # on Gemma 3 the token that is filled is the tokenizer's
    names = "image_token", "video_token", "boi_token", "fake_image_token"
    tokens = {getattr(holder, name, None) for holder in holders for name in names} - {None}
    found = next((token for token in tokens if str(token) in text), None)
    return None if found is None else f"the text has the model's placeholder {found} in it: remove it"


def _across_splits(splits: list[Surveyed], report: DataReport) -> None:
    by_name = {split.split: split.rows for split in splits if len(split.rows)}
    if "train" in by_name:
        for other in by_name.keys() - {"train"}:
            if leaked := check_leaks(_pictures_of(by_name["train"]), _pictures_of(by_name[other])).leaked:
                report.problems.append(f"{leaked} pictures of {other} occur in train too: {other} would ask what was trained")
    for name, rows in by_name.items():
        texts = [
            str((row["prompt"], row["chosen"], row["rejected"]) if "prompt" in row else row["query"]) for row in _texts(rows)
        ]
        keys = [(image_key(row["image"]), text) for row, text in zip(_pictures_of(rows), texts, strict=True)]
        if repeated := len(keys) - len(set(keys)):
            report.facts.append((f"repeated in {name}", f"{repeated} rows ask what an earlier one asks about the same picture"))
        if report.kind == "questions" and (pairs := contradictions(rows)):
            query = rows[pairs[0][1]]["query"]
            report.problems.append(f"{name}: {len(pairs)} questions have two different answers, such as {query!r}")


def _pictures(splits: list[Surveyed], report: DataReport) -> None:
    sizes = [size for split in splits for size in _sizes(split.rows)]
    widths, heights = zip(*sizes, strict=True)
    report.facts.append(("pictures", f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"))


def _answers(splits: list[Surveyed], report: DataReport) -> None:
    labels = [label for split in splits for label in split.rows["label"]]
    firsts = [label[0] for label in labels]
    numbers = [text for text in firsts if _number(text) is not None]
    years = sum(text.isdigit() and 1900 <= int(text) <= 2100 for text in numbers)
    # A number that is 4 % off: does the metric take it?
    loose = sum(relaxed_match(f"{1.04 * _number(text):.10g}", text) for text in numbers)
    words = [len(text.split()) for text in firsts]
    report.facts.extend(
        [
            (
                "answers",
                f"{_share(len(numbers), firsts)} numbers; {np.median(words):.0f} words mostly, {max(words)} at most",
            ),
            ("within 5 %", f"{_share(loose, firsts)} are matched by the metric also where the number is 4 % off"),
            ("years", f"{_share(years, firsts)} look like years, for which 5 % is a century"),
        ]
    )
    if alternatives := sum(len(label) > 1 for label in labels):
        report.facts.append(("alternatives", f"{alternatives} rows have several right answers; a training takes the first"))


def _tokens(splits: list[Surveyed], processor: ProcessorMixin, report: DataReport) -> None:
    """How long examples are for this model, and what is trained on: TRL's own collators say."""
    from trl import SFTConfig  # here: seconds, and only needed with a processor

    rows = max((split.rows for split in splits), key=len)
    largest = np.argsort([-width * height for width, height in _sizes(rows)], kind="stable")
    picked = sorted({*largest[: _LOOKED_AT // 2].tolist(), *range(min(len(rows), _LOOKED_AT // 2))})
    image_token = image_token_id(processor)
    lengths, images, masks = [], [], []
    for at in picked:
        ids, labels = _collated(rows[at], processor)
        lengths.append(len(ids))
        images.append(ids.count(image_token))
        masks.append(Counter(token_kinds(ids, labels, image_token)))
        masks[-1]["image trained"] = _image_trained(ids, labels, image_token)
    limit = inspect.signature(SFTConfig).parameters["max_length"].default
    cut = sum(length > limit for length in lengths)
    report.facts.extend(
        [
            ("image tokens", f"{min(images)} to {max(images)} a row, of {min(lengths)} to {max(lengths)} tokens"),
            ("TRL's max_length", f"its default of {limit:,} would cut {cut} of {len(picked)} rows"),
        ]
    )
    for at, mask in list(zip(picked, masks, strict=True))[:_MASKED]:
        report.facts.append(
            (f"label mask of row {at}", f"{mask['trained']} tokens trained, {mask['masked']} masked, {mask['image']} image")
        )
        if not mask["trained"]:
            report.problems.append(f"no token of row {at} would be trained on")
        if mask["image trained"]:
            report.problems.append(f"{mask['image trained']} image tokens of row {at} would be trained on")


def _collated(row: dict, processor: ProcessorMixin) -> tuple[list[int], list[int]]:
    """Token ids and labels of one example (of a pair: the chosen answer's), made as lessons 04 and 05 make them."""
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    if "query" in row:
        example = {
            "image": open_picture(row["image"]),
            "prompt": [{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": row["query"]}],
            "completion": [{"role": "assistant", "content": row["label"][0]}],
        }
        batch = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)([example])
        return batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    example = {name: row[name] for name in ("prompt", "chosen", "rejected")}
    batch = DataCollatorForVisionPreference(processor)(
        [{**example, "images": [open_picture(image) for image in row["images"]]}]
    )
    ids = batch["input_ids"][0].tolist()
    trained = batch["completion_mask"][0].tolist()
    return ids, [token if mask else -100 for token, mask in zip(ids, trained, strict=True)]


def _image_trained(ids: list[int], labels: list[int], image_token: int) -> int:
    return sum(token == image_token and label != -100 for token, label in zip(ids, labels, strict=True))


def _pictures_of(rows: Dataset) -> Dataset:
    """One column, ``image``, undecoded: of a pair the first of its pictures."""
    if "image" in rows.column_names:
        return rows.select_columns(["image"])
    first = rows.select_columns(["images"]).cast_column("images", List(Image(decode=False)))
    return Dataset.from_list([{"image": row["images"][0]} for row in first])


def _texts(rows: Dataset) -> Dataset:
    return rows.select_columns([name for name in ("query", "prompt", "chosen", "rejected") if name in rows.column_names])


def _sizes(rows: Dataset) -> list[tuple[int, int]]:
    return [open_picture(row["image"]).size for row in _pictures_of(rows)]


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%"))
    except ValueError:
        return None


def _share(count: int, of: list) -> str:
    return f"{count / len(of):.0%}"

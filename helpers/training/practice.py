"""Mix old questions into preference training, as pairs: what isn't practised is overwritten."""

from datasets import Dataset, Image, List, concatenate_datasets

from helpers.data import open_picture
from helpers.models import SHORT_ANSWER


def with_practice(pairs: Dataset, questions: Dataset) -> Dataset:
    """``pairs``, and after them ChartQA rows as pairs: what training on preferences doesn't practise, it overwrites.

    ``questions``: rows of :func:`helpers.data.load_chartqa`. Asked for a word or number, the label is chosen, and the same in a
    sentence rejected.
    """
    columns = ["images", "prompt", "chosen", "rejected"]
    pairs = pairs.with_format(None).select_columns(columns).cast_column("images", List(Image(decode=False)))
    questions = questions.with_format(None).cast_column("image", Image(decode=False))
    practice = {"images": [[image] for image in questions["image"]]}
    practice["prompt"] = [
        [{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": query}] for query in questions["query"]
    ]
    labels = [label[0] for label in questions["label"]]
    practice["chosen"] = [[{"role": "assistant", "content": label}] for label in labels]
    practice["rejected"] = [[{"role": "assistant", "content": f"The answer is {label}."}] for label in labels]
    both = concatenate_datasets([pairs, Dataset.from_dict(practice, features=pairs.features)])
    return both.cast_column("images", List(Image())).with_transform(_opened)


def _opened(batch: dict) -> dict:
    if "images" not in batch:
        return batch
    return {**batch, "images": [[open_picture(image) for image in images] for images in batch["images"]]}

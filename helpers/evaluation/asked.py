"""Questions about pictures, taken apart: each distinct picture once, opened in its turn, with all that is asked of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datasets import Dataset
from PIL.Image import Image

from helpers.data import open_picture, pixels_key, stored_pictures


@dataclass(frozen=True)
class Asked:
    """``questions``: one a row; ``keys``: the same text for the same picture; ``picture``: opens that of a row.

    ``sizes``: width and height of each row's picture, (0, 0) where they aren't known yet.
    """

    questions: list[str]
    keys: list[str]
    picture: Callable[[int], Image]
    sizes: list[tuple[int, int]]

    @classmethod
    def of(cls, examples: Sequence[dict]) -> "Asked":
        """From rows with ``image`` and ``query``. Pictures of :func:`helpers.data.load_chartqa` stay closed: their files say
        which are the same. Of others, whose transform may make anything of a file, the pixels say so."""
        if hasattr(examples, "asked"):
            return examples.asked()
        stored = stored_pictures(examples) if isinstance(examples, Dataset) else None
        opens = _Opens(examples)
        if stored is not None:
            return cls(list(stored.texts["query"]), stored.keys, opens, stored.sizes)
        questions, keys, sizes = [], [], []
        for at in range(len(examples)):
            picture = opens(at)
            questions.append(examples[at]["query"])
            keys.append(pixels_key(picture))
            sizes.append(picture.size)
        return cls(questions, keys, opens, sizes)

    def by_picture(self) -> list[list[int]]:
        """The rows of each picture; pictures of one size, with questions of one length, stand together: less to pad."""
        rows: dict[str, list[int]] = {}
        for at, key in enumerate(self.keys):
            rows.setdefault(key, []).append(at)

        def length(group: list[int]):
            return self.sizes[group[0]], max(len(self.questions[at]) for at in group)

        return sorted(rows.values(), key=length)


@dataclass(frozen=True)
class _Opens:
    """A row's picture, upright and RGB; a class, so that a process that is started anew can be given it."""

    rows: Sequence[dict]

    def __call__(self, at: int) -> Image:
        return open_picture(self.rows[at]["image"])

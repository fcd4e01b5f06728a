"""Find charts of the test split that occur in the training split too, also where they were saved again in another way."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset, Image
from PIL import Image as PILImage

from helpers.data.pictures import open_picture

SIDE = 64  # pixels of the square that pictures are compared at: colours, file format and size no longer matter
# Grey levels (of 255) between two pictures, root mean square. JPEG copies of the course's charts, scaled or not, came to 3.4 at
# most; its nearest different charts to 6.7, and those among 543 charts of the real ChartQA to 7.4.
SAME = 4.5
# Pages of writing are nearly white, so that two receipts of one shop came to 1.9. But where ink is differs between them: their
# correlation came to 0.968 at most, that of copies, by JPEG of quality 30 at half the size, to 0.978 at least.
ALIKE = 0.975


@dataclass(frozen=True)
class LeakCheck:
    """For each different chart of the test split, by its first row: the row of the nearest training chart, and how far it is.

    ``distances``: in grey levels, 0 for the same pixels; ``alike``: the correlation of the two, 1 for the same pixels. A pair
    counts as the same chart if it is at most ``SAME`` apart and at least ``ALIKE``.
    """

    test_rows: np.ndarray
    train_rows: np.ndarray
    distances: np.ndarray
    alike: np.ndarray

    @property
    def leaked(self) -> int:
        """Number of test charts that occur in the training split."""
        return int(((self.distances <= SAME) & (self.alike >= ALIKE)).sum())

    def nearest(self, count: int) -> list[tuple[int, int, float]]:
        """(test row, training row, distance) of the ``count`` pairs that are most alike: look at them."""
        order = np.argsort(self.distances, kind="stable")[:count]
        return [(int(self.test_rows[at]), int(self.train_rows[at]), float(self.distances[at])) for at in order]


def check_leaks(train: Dataset, test: Dataset) -> LeakCheck:
    """Compare the charts of two splits of ``load_chartqa``. Each picture is decoded once, one at a time.

    It finds copies, not cut-outs, mirrored pictures or the same figures drawn anew. Of pages of writing it misses copies that
    were moved by pixels or scaled without smoothing, and forms that are filled in differently may be too much alike for it:
    look at ``nearest``.
    """
    train_rows, seen = _thumbnails(train)
    test_rows, asked = _thumbnails(test)
    squared = (asked**2).sum(1)[:, None] + (seen**2).sum(1)[None] - 2 * asked @ seen.T
    nearest = squared.argmin(1)
    distances = np.sqrt(((asked - seen[nearest]) ** 2).mean(1))  # anew: the formula above loses the digits near zero
    return LeakCheck(test_rows, train_rows[nearest], distances, _correlation(asked, seen[nearest]))


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each row with the other's; 1 where one of them has a single grey: then the distance alone decides."""
    one, other = (rows - rows.mean(1, keepdims=True) for rows in (one, other))
    spread = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    return np.where(spread > 0, (one * other).sum(1) / np.maximum(spread, 1e-9), 1.0)


def _thumbnails(rows: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each different picture, and the pictures: (charts, SIDE * SIDE) of grey levels."""
    raw, first, thumbnails = rows.with_format(None).select_columns(["image"]).cast_column("image", Image(decode=False)), {}, []
    for at, row in enumerate(raw):
        image = row["image"]
        content = image["bytes"] or Path(image["path"]).read_bytes()
        if first.setdefault(hashlib.sha256(content).digest(), at) == at:
            small = open_picture(content).convert("L").resize((SIDE, SIDE), PILImage.Resampling.BOX)
            thumbnails.append(np.asarray(small, dtype=np.float32).ravel())
    return np.array(list(first.values())), np.stack(thumbnails)

"""What the stand-in hub serves: the embedded model and some charts under the names and revisions that the profiles ask for."""

import io

import pyarrow.parquet as pq

from helpers.course import load_profile
from helpers.paths import EMBEDDED_CHARTQA, EMBEDDED_MODEL, ROOT
from tests.hub.stand_in import Repository

ROWS = {"train": 24, "val": 6, "test": 12}
_SHARED = ROOT.parent / "shared" / "data"


def repositories() -> list[Repository]:
    """The GPU profiles' model and data set."""
    name, _, revision = load_profile("gpu")["DATASET"].partition("@")
    return [
        Repository.of_folder("models", load_profile("gpu")["MODEL"], EMBEDDED_MODEL),
        Repository("datasets", name, revision, chart_files()),
    ]


def chart_files() -> dict[str, bytes]:
    """Some rows of the real ChartQA as the hub has them, one parquet file a split; without ../shared, of ChartQA-mini."""
    files = {}
    for split, count in ROWS.items():
        if _SHARED.is_dir():  # nothing is trained on test rows here either
            source, first = _SHARED / "chartqa_real_train_machine.parquet", 24 if split == "val" else 0
            source = _SHARED / "chartqa_real.parquet" if split == "test" else source
        else:
            source, first = EMBEDDED_CHARTQA / f"{split}.parquet", 0
        buffer = io.BytesIO()
        pq.write_table(pq.read_table(source).slice(first, count), buffer)
        files[f"data/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    return files

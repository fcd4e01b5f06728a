"""Rebuild what the course ships: ``python -m helpers.tiny [data|model]`` (both by default; ``make tiny`` calls it).

``language``: train the language stage with two more seeds, to see that comparisons come every time. ``tune``: choose the
settings of lessons 04, 05 and 06 on validation questions and pairs. ``rebuilt FOLDER``: how far the skills of another run of
the recipe, such as ``make tiny`` leaves in another clone, lie from those of the weights that are shipped. All three write what
they find into the model's card.
"""

import argparse
import hashlib
from pathlib import Path

import torch

from helpers.models import free_cores
from helpers.paths import CACHE, EMBEDDED_CHARTQA, EMBEDDED_MODEL, EMBEDDED_PREFERENCES, ROOT, use_caches

OTHER_SEEDS = (1, 2)  # of the language stage; what is shipped has seed 0


def _recipe() -> str:
    """A name for the code as it stands: what another recipe drew or trained is never gone on with."""
    sources = [
        *sorted((ROOT / "helpers" / "tiny").glob("*.py")),
        ROOT / "helpers" / "data" / "kinds.py",
        ROOT / "helpers" / "models" / "prompts.py",
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.tiny", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "data", "model", "language", "tune", "rebuilt"), default="all")
    parser.add_argument(
        "of", nargs="*", help="with tune: only these lessons, such as 04; with rebuilt: the folder of its weights"
    )
    arguments = parser.parse_args()
    what = arguments.what
    if what != "tune" and len(arguments.of) != (what == "rebuilt"):
        parser.error("rebuilt takes one folder; all, data, model and language take none")
    use_caches()  # before the libraries read them
    if what in ("all", "data"):
        from helpers.tiny import mini, pairs

        mini.build(EMBEDDED_CHARTQA)
        pairs.build(EMBEDDED_PREFERENCES)
    workers, recipe = free_cores(), CACHE / "tiny" / _recipe()
    torch.set_num_threads(workers)
    if what in ("all", "model"):
        from helpers.tiny.pretrain import pretrain

        pretrain(EMBEDDED_MODEL, recipe, workers)
    if what == "language":
        from helpers.tiny.pretrain import try_language

        for seed in OTHER_SEEDS:
            try_language(EMBEDDED_MODEL, recipe / f"seed-{seed}", seed)
    if what == "tune":
        from helpers.tiny.tune import tune

        tune(EMBEDDED_MODEL, CACHE / "tiny" / "tune", tuple(arguments.of))
    if what == "rebuilt":
        from helpers.tiny.card import note_rebuild

        note_rebuild(EMBEDDED_MODEL, Path(*arguments.of))


if __name__ == "__main__":
    main()

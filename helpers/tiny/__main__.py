"""Rebuild what the course ships: ``python -m helpers.tiny [data|model]`` (both by default; ``make tiny`` calls it)."""

import argparse
import hashlib
import os

import torch

from helpers.paths import CACHE, EMBEDDED_CHARTQA, EMBEDDED_MODEL, EMBEDDED_PREFERENCES, ROOT


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
    parser.add_argument("what", nargs="?", choices=("all", "data", "model"), default="all")
    what = parser.parse_args().what
    if what in ("all", "data"):
        from helpers.tiny import mini, pairs

        mini.build(EMBEDDED_CHARTQA)
        pairs.build(EMBEDDED_PREFERENCES)
    if what in ("all", "model"):
        from helpers.tiny.pretrain import pretrain

        torch.set_num_threads(os.cpu_count() or 1)
        pretrain(EMBEDDED_MODEL, CACHE / "tiny" / _recipe(), workers=os.cpu_count() or 1)


if __name__ == "__main__":
    main()

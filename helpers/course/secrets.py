"""Keep secrets out of what a run writes: a lesson that prints its environment must not publish a token with its notebook."""

import os
import re
from pathlib import Path

from huggingface_hub import get_token

_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|API_?KEY)$", re.IGNORECASE)
_TEXTS = {".ipynb", ".json", ".jsonl", ".html", ".log", ".md", ".txt", ".yaml"}
_SHORTEST = 8  # characters; anything shorter occurs by chance


def secrets() -> set[str]:
    """The values of environment variables that are named like secrets, and the token that `hf auth login` stored."""
    values = {value for name, value in os.environ.items() if _NAMES.search(name)} | {get_token() or ""}
    return {value for value in values if len(value) >= _SHORTEST}


def redact(text: str) -> str:
    """``text`` with ``***`` in place of every secret."""
    for secret in secrets():
        text = text.replace(secret, "***")
    return text


def redact_files(folder: Path) -> None:
    """Do the same in every text file under ``folder``; a file without a secret isn't touched."""
    hidden = [secret.encode() for secret in secrets()]
    for path in folder.rglob("*"):
        if path.suffix not in _TEXTS or not path.is_file():
            continue
        content = clean = path.read_bytes()
        for secret in hidden:
            clean = clean.replace(secret, b"***")
        if clean != content:
            path.write_bytes(clean)

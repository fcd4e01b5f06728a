"""Keep secrets out of what a run writes: a lesson that prints its environment must not publish a token with its notebook."""

import html
import json
import os
import re
from pathlib import Path

from huggingface_hub import get_token

_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY)$", re.IGNORECASE)
_MAYBE = re.compile(r"(^|_)(KEY|PAT)$", re.IGNORECASE)  # SORT_KEY=accuracy is none
_RANDOM = re.compile(r"(?=.*\d)(?=.*[a-zA-Z])\S{16,}")
_TEXTS = {".ipynb", ".json", ".jsonl", ".html", ".log", ".md", ".txt", ".yaml"}
_SHORTEST = 8  # characters; anything shorter occurs by chance
_JSON, _ASCII = json.JSONEncoder(ensure_ascii=False), json.JSONEncoder()
_WAYS = (
    str,
    html.escape,
    lambda text: repr(text)[1:-1],
    lambda text: _JSON.encode(text)[1:-1],
    lambda text: _ASCII.encode(text)[1:-1],
)


def secrets() -> set[str]:
    """The values of environment variables that are named like secrets, and the token that `hf auth login` stored."""
    values = {value for name, value in os.environ.items() if _named_like_one(name, value)} | {get_token() or ""}
    return {value for value in values if len(value) >= _SHORTEST}


def _named_like_one(name: str, value: str) -> bool:
    return bool(_NAMES.search(name) or (_MAYBE.search(name) and _RANDOM.fullmatch(value)))


def redact(text: str) -> str:
    """``text`` with ``***`` in place of every secret."""
    for hidden in _written():
        text = text.replace(hidden, "***")
    return text


def _written() -> list[str]:
    """The secrets in all the ways that a file may have them, the longest first: a shorter one may be another's beginning.

    As they are, as Python shows them, as JSON has them; and each of these in a notebook, which is JSON itself.
    """
    found = {way(inner(secret)) for secret in secrets() for inner in _WAYS for way in _WAYS}
    return sorted(found, key=len, reverse=True)


def redact_files(folder: Path) -> None:
    """Do the same in every text file under ``folder``; a file without a secret isn't touched."""
    written = [text.encode(errors="surrogateescape") for text in _written()]
    for path in folder.rglob("*"):
        if path.suffix not in _TEXTS or not path.is_file():
            continue
        content = clean = path.read_bytes()
        for hidden in written:
            clean = clean.replace(hidden, b"***")
        if clean != content:
            path.write_bytes(clean)

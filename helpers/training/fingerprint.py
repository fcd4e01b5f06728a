"""What data is, by its content: an answer that was mended makes other data, a folder that was moved doesn't."""

import hashlib
import json
from functools import cache
from pathlib import Path

from datasets import Dataset


def data_fingerprint(rows: Dataset) -> str:
    """A short text that differs when the rows do: their order, texts, and pictures as they are stored, without decoding.

    ``rows``: of :func:`helpers.data.load_chartqa` or :func:`helpers.data.load_preferences`. What a transform makes of them
    isn't seen. FileNotFoundError for a picture that is gone.
    """
    digest, of_file = hashlib.sha256(), cache(_of_file)  # questions share charts: each file is read once
    stored = rows.with_format("arrow")
    for at in range(0, len(rows), 64):
        for row in stored[at : at + 64].to_pylist():
            digest.update(json.dumps(_plain(row, of_file), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def _plain(value, of_file):
    """``value`` with a hash in place of each picture, which arrow holds as bytes, or as the path of a file."""
    if isinstance(value, dict):
        if value.keys() == {"bytes", "path"}:
            return _hash(value["bytes"]) if value["bytes"] is not None else value["path"] and of_file(value["path"])
        return {name: _plain(part, of_file) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, of_file) for part in value]
    return _hash(value) if isinstance(value, bytes) else value


def _of_file(path: str) -> str:
    return _hash(Path(path).read_bytes())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

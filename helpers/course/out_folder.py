"""The folder that a run writes to: opened, held by one run at a time, and with nothing in it that is damaged."""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.course.notebooks import UsageError
from helpers.course.results import read_results
from helpers.paths import resolve

LOCK, HOLDER = ".run.lock", ".run.json"
_TOKEN = "COURSE_RUN"  # what the holder's children have in their environment: a lesson may have an earlier one run first


def open_out(name: str) -> Path:
    """The folder of that name, made if missing. UsageError if there can't be one."""
    folder = resolve(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.is_file() else error.strerror
        raise UsageError(f"results can't go to the folder {folder}: {why}") from error
    return folder


@contextlib.contextmanager
def hold(folder: Path, lessons: list[str]) -> Iterator[None]:
    """Keep other runs out of ``folder``, but for those that this one starts. UsageError says who holds it.

    The operating system frees the lock when its process is gone, however it went.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = _holder(folder)
        if holder.get("token") == os.environ.get(_TOKEN, ""):
            yield
            return
        raise UsageError(_who(folder, holder)) from None
    except OSError as error:
        raise UsageError(f"results can't go to the folder {folder}: {error.strerror}") from error
    token, before = uuid.uuid4().hex, os.environ.get(_TOKEN)
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "lessons": ", ".join(lessons), "token": token}
    try:
        (folder / HOLDER).write_text(json.dumps(holder), encoding="utf-8")
    except OSError as error:
        lock.release()
        raise UsageError(f"results can't go to the folder {folder}: {error.strerror}") from error
    os.environ[_TOKEN] = token
    try:
        yield
    finally:
        os.environ.pop(_TOKEN, None)
        if before is not None:
            os.environ[_TOKEN] = before
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _who(folder: Path, holder: dict) -> str:
    who = "process {pid} on {host}, since {since}: {lessons}".format_map(holder) if holder else "it has just begun"
    return f"another run writes to {folder} ({who}). Wait for it, or give this one an --out of its own"


def _holder(folder: Path) -> dict:
    try:
        return json.loads((folder / HOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it has the lock and has not written yet who it is, or is about to let go
        return {}


def check_left(folder: Path) -> None:
    """What earlier runs left must be readable, for the report is made of it. UsageError names what is damaged."""
    try:
        read_results(folder / "results.json")
        for path in sorted(folder.glob("*.ipynb")):
            _check_notebook(path)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_notebook(path: Path) -> None:
    try:
        whole = isinstance(json.loads(path.read_bytes())["cells"], list)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is damaged: no notebook. Move it away or delete it, then this command again")

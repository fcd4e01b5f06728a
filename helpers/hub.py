"""Bring a model or a data set from the hub into the cache: whole, verified, and with errors that say what to do.

What huggingface_hub 2.4 does by itself, and what is left to do here:

- *Retries.* It waits out a 429 as the hub's ``Retry-After`` says, tries listings and headers five times more, and resumes a
  file where the connection ended. A 5xx in answer to a file's content, or a connection that is reset, ends the download at
  once: :func:`fetch` starts the unfinished files again.
- *Damage.* It compares a download's size, and nothing else. :func:`fetch` compares the sha256 of every file that the hub
  keeps in LFS, which is where weights and parquet files are. The revision is a git commit, which fixes each such file's
  sha256; the hub sends that as the file's ETag, and the cache names the file by it. *Not* verified: small text files
  (configurations, tokenizers), that the hub tells the truth about its own commit, and anything at all where the cache can't
  use symbolic links (Windows without developer mode).
- *Messages.* See :func:`explain`.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # HTTPError: of the HTTP library that it uses
from huggingface_hub.utils import filter_repo_objects

DATA_FILES = ("*.parquet",)
PROCESSOR_FILES = ("*.json", "*.jinja", "*.txt", "*.model")
MODEL_FILES = ("*.safetensors", *PROCESSOR_FILES)
_LEFT_OUT = {"model": ["*/*"], "dataset": None}  # other formats of the same weights, such as onnx/
_WAITS = (2, 8, 30)  # seconds before the second, third and fourth try
_DOWN = (500, 502, 503, 504)


class HubError(OSError):
    """The hub didn't give what was asked for. The message names the cause and one thing to do."""


def is_hub_id(name: str) -> bool:
    """Whether it has the form of one: ``owner/name``, with ``@revision`` or without."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", name) is not None and not name.endswith(".parquet")


def fetch(name: str, kind: str, patterns: tuple[str, ...]) -> Path:
    """The folder of the cache that holds ``name``'s files, downloaded if need be and verified once.

    ``name``: ``owner/name@revision``; without a revision, what the hub's main branch holds. ``kind``: "model" or "dataset".
    ``patterns``: of the wanted files' names. A verified commit asks nothing of the hub: it works without a network.
    HubError otherwise, with cause and action.
    """
    repository, _, revision = name.partition("@")
    if folder := verified_copy(name, kind, patterns):
        return folder

    def download() -> Path:
        return Path(
            snapshot_download(
                repository, repo_type=kind, revision=revision or None, allow_patterns=list(patterns),
                ignore_patterns=_LEFT_OUT[kind],
                max_workers=1,  # where one thread loses its connection, hub 2.4 closes the client that the others are using
            )
        )  # fmt: skip

    try:
        folder = _patiently(download)
        _verify(folder, repository, kind, patterns)
    except HubError:
        raise
    except Exception as error:  # of the hub, its HTTP library, hf_xet and the disk: there is no common class
        raise HubError(explain(error, name, kind)) from error
    return folder


def missing_bytes(name: str, kind: str, patterns: tuple[str, ...]) -> int | None:
    """What :func:`fetch` would have to download, by the hub's own list of files; None if the hub can't be asked just now."""
    if verified_copy(name, kind, patterns):
        return 0
    repository, _, revision = name.partition("@")
    here = {"repo_type": kind, "revision": revision or None}
    try:
        # In one short question: a listing of pages would be asked for again and again where there is no network.
        files = HfApi().repo_info(repository, **here, files_metadata=True, timeout=10).siblings or []
    except (OSError, ValueError, HTTPError, OfflineModeIsEnabled):  # the download will say what is wrong, and what to do
        return None
    how = {"allow_patterns": list(patterns), "ignore_patterns": _LEFT_OUT[kind]}
    wanted = filter_repo_objects(files, **how, key=lambda file: file.rfilename)
    missing = [file for file in wanted if not isinstance(try_to_load_from_cache(repository, file.rfilename, **here), str)]
    return sum(file.size or 0 for file in missing)


def verified_copy(name: str, kind: str, patterns: tuple[str, ...]) -> Path | None:
    """The folder of the cache, if ``name`` has a commit and all that was fetched and verified of it is still there."""
    repository, _, revision = name.partition("@")
    record = _record(repository, kind, revision)
    if not (re.fullmatch(r"[0-9a-f]{40}", revision) and record.exists()):
        return None
    entry = json.loads(record.read_text(encoding="utf-8")).get("|".join(patterns))
    if entry is None:
        return None
    folder = Path(entry["folder"])
    whole = all((folder / file).is_file() and _state(folder / file) == state for file, state in entry["files"].items())
    return folder if whole else None


def explain(error: BaseException, name: str, kind: str) -> str:
    """What went wrong with ``name``, and the one thing to do about it."""
    repository, _, revision = name.partition("@")
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repository}"
    chain = list(_chain(error))
    kinds = {type(link).__name__ for link in chain}
    status = next((link.response.status_code for link in chain if getattr(link, "response", None) is not None), None)
    if full := disk_full(error):
        return full
    if "RevisionNotFoundError" in kinds:
        return f"{repository} has no revision {revision!r}. Take one from {page}/commits/main."
    if "GatedRepoError" in kinds or status == 403:
        return f"{repository} is only for people who accepted its terms. Accept them at {page}, then run `hf auth login`."
    if status == 401 and get_token():
        return f"the hub refused your token when asked for {repository} (401). Unset HF_TOKEN: the course needs none."
    if status in (401, 404):
        return f"there is no folder {repository} here and no public {kind} on the hub ({status}). Check the spelling at {page}."
    if any(isinstance(link, OfflineModeIsEnabled) for link in chain):
        return (
            f"{repository} is neither a folder here nor in the cache, and HF_HUB_OFFLINE keeps it from being downloaded. Unset "
            "HF_HUB_OFFLINE once."
        )
    if status in (408, 429, *_DOWN):
        return (
            f"the hub is too busy to send {repository} ({status}), also after several tries. Run the same command again in a "
            "quarter of an hour: finished files are kept."
        )
    if isinstance(error, HTTPError) and status is None:
        return (
            f"the connection to {constants.ENDPOINT} broke several times while {repository} was being downloaded. Run the same "
            "command again where the network is steadier: finished files are kept."
        )
    if kinds & {"LocalEntryNotFoundError", "IncompleteSnapshotError"}:
        return (
            f"{constants.ENDPOINT} can't be reached, and {repository} is neither a folder here nor whole in the cache. Check "
            "the network, then run the same command again: finished files are kept."
        )
    return f"{repository} could not be downloaded ({type(error).__name__}: {error}). Look at its page, {page}."


def disk_full(error: BaseException) -> str | None:
    """If a full disk is behind ``error``: what to say."""
    codes = {getattr(link, "errno", None) for link in _chain(error)}
    if not codes & {errno.ENOSPC, errno.EDQUOT} and "No space left on device" not in "".join(map(str, _chain(error))):
        return None
    place = Path(constants.HF_HOME)
    free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
    return (
        f"the disk is full: {free / 1e6:,.0f} MB are left where {place} is. Make room there, then run the same command again: "
        "finished files are kept."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _patiently(download: Callable[[], Path]) -> Path:
    """Call it again after errors that pass, as long as the hub asks (``Retry-After``) or a little longer each time."""
    for wait in _WAITS:
        try:
            return download()
        except HTTPError as error:
            response = getattr(error, "response", None)
            if response is not None and response.status_code not in _DOWN:
                raise
            asked = response.headers.get("Retry-After", "") if response is not None else ""
            seconds = int(asked) if asked.isdigit() else wait
            print(f"the download was interrupted ({type(error).__name__}); going on in {seconds} s")
            time.sleep(seconds)
    return download()


def _verify(folder: Path, repository: str, kind: str, patterns: tuple[str, ...]) -> None:
    """Compare each file with the sha256 that names it; a damaged one is removed, so that the next run fetches it again."""
    files = sorted({file for pattern in patterns for file in folder.rglob(pattern)})
    if not files:
        raise HubError(f"the {kind} {repository} has no file like {' or '.join(patterns)}. Choose another one.")
    for file in files:
        blob = Path(os.readlink(file)) if file.is_symlink() else file
        if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
            continue
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != blob.name:
            for path in (file.resolve(), file.parent / blob, file):
                path.unlink(missing_ok=True)
            raise HubError(
                f"{file.name} of {repository} is damaged: its sha256 is {found[:12]}…, the hub says {blob.name[:12]}…. "
                "It is removed now: run the same command again."
            )
    record = _record(repository, kind, folder.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    states = {file.relative_to(folder).as_posix(): _state(file) for file in files}
    part = record.with_suffix(f".{os.getpid()}")  # written whole and then renamed: what is killed leaves no half record
    part.write_text(json.dumps(known | {"|".join(patterns): {"folder": str(folder), "files": states}}), encoding="utf-8")
    part.replace(record)


def _state(file: Path) -> list[int]:
    """What changes when a file is written to: size and time. Where it hasn't, the file isn't read again."""
    return [file.stat().st_size, file.stat().st_mtime_ns]


def _record(repository: str, kind: str, commit: str) -> Path:
    return Path(constants.HF_HOME) / "verified" / f"{kind}--{repository.replace('/', '--')}@{commit}.json"

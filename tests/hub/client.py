"""A process that loads from a stand-in hub with the course's own code: HF_ENDPOINT and HF_HOME are read at import.

Run as a script it is that process: it reads what to load, a line of JSON each, and answers with what it got or the error.
Each load happens in a fork of it, as in a new process that remembers nothing, but without its imports. Waiting takes no time
there: how long it would have waited is part of the answer.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from helpers.paths import ROOT


def environment(endpoint: str, home: Path) -> dict[str, str]:
    """Of a process that is online, unlike the test session, asks ``endpoint``, and caches in ``home``."""
    kept = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return kept | own


class HubClient:
    """``load(what, name)`` asks the process; ``forget()`` empties its cache."""

    def __init__(self, endpoint: str, home: Path):
        self.home = home
        env = environment(endpoint, home) | {"OMP_NUM_THREADS": "1"}  # OpenMP's threads don't survive a fork
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def load(self, what: str, name: str, **arguments) -> dict:
        self._process.stdin.write(json.dumps({"what": what, "name": name, **arguments}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def forget(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _load(what: str, name: str, **arguments) -> dict:
    from helpers.data import load_chartqa
    from helpers.models import load_model, load_processor

    if what == "sizes":
        from helpers.course import say_downloads, to_download

        with contextlib.redirect_stdout(io.StringIO()) as said:
            say_downloads(arguments)
        return {"bytes": to_download(arguments), "said": said.getvalue()}
    if what == "data":
        rows = load_chartqa(name, **arguments)
        return {"rows": len(rows), "queries": list(rows["query"]), "mode": rows[0]["image"].mode}
    if what == "processor":
        return {"class": type(load_processor(name)).__name__}
    model = load_model(name, **arguments)
    return {
        "named": model.name_or_path,
        "sum": sum(float(p.detach().double().sum()) for p in model.parameters()) if not arguments else None,
        "quantized": bool(getattr(model, "is_quantized", False)),
    }


def _answer(request: dict) -> dict:
    slept = []
    time.sleep = slept.append
    try:
        answer = _load(**request)
    except Exception as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    return answer | {"slept": slept}


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the course prints is not an answer
    for load in ("model", "processor"):  # imports what every load needs, once
        _load(load, "embedded")
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            answers.write(json.dumps(_answer(json.loads(line))) + "\n")
            answers.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            answers.write(json.dumps({"error": "died", "message": ""}) + "\n")
            answers.flush()


if __name__ == "__main__":
    _main()

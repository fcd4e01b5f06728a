"""A process that loads from a stand-in hub with the course's own code: HF_ENDPOINT and HF_HOME are read at import.

Run as a script it is that process: it reads what to load, a line of JSON each, and answers with what it got or the error.
Waiting takes no time in it: how long it would have waited is part of the answer.
"""

import json
import os
import shutil
import subprocess
import sys
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
        env = environment(endpoint, home)
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

    if what == "data":
        rows = load_chartqa(name, **arguments)
        return {"rows": len(rows), "queries": list(rows["query"]), "mode": rows[0]["image"].mode}
    if what == "processor":
        return {"class": type(load_processor(name)).__name__}
    model = load_model(name, **arguments)
    return {
        "named": model.name_or_path,
        "sum": sum(float(p.double().sum()) for p in model.parameters()) if not arguments else None,
        "quantized": bool(getattr(model, "is_quantized", False)),
    }


def _main() -> None:
    import contextlib
    import time

    answers, slept = sys.stdout, []
    time.sleep = slept.append
    for line in sys.stdin:
        slept.clear()
        with contextlib.redirect_stdout(sys.stderr):  # what the course prints is not an answer
            try:
                answer = _load(**json.loads(line))
            except Exception as error:
                answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer | {"slept": slept}), file=answers, flush=True)


if __name__ == "__main__":
    _main()

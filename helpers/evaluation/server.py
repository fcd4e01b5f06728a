"""A server of one's own, in a child process that ends with its parent, however that ends."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

from helpers.paths import ROOT

# Nothing is fetched: neither a model that a request names, nor what a template or a library asks for, nor news of versions.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A running server. ``url``: its address; ``log``: the file with all that it printed; ``start_seconds``: to the first
    healthy answer; ``pid``: its process. ``stop()`` ends it, as does leaving a ``with`` block, or the end of this process."""

    def __init__(self, process: subprocess.Popen, url: str, log: Path, start_seconds: float):
        self._process, self.url, self.log, self.start_seconds = process, url, log, start_seconds
        self.pid = process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and wait until it is gone. A second call does nothing."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # it waits for a request that hangs
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):  # nobody reads it any more
            self._process.stdin.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def start_server(command: list[str], log: Path, *, folder: Path | None = None, timeout: float = 300) -> Server:
    """Start a server of this Python's environment and wait until it is healthy: answers 200 at ``/health``.

    ``command``: its words, such as ``transformers serve merged --host 127.0.0.1 --port 8000``; the first names a console
    script, the address is read from ``--host`` and ``--port``. ``folder``: where it runs. ``log``: what it prints goes there.
    It has no network to the hub (``OFFLINE``).

    The child holds the reading end of a pipe whose other end is this process's alone: when this process ends, killed or not,
    the pipe closes, and the child ends itself (:mod:`helpers.evaluation.tethered`). RuntimeError if somebody listens there
    already; with the end of the log if it ends before it is healthy, or isn't so after ``timeout`` seconds.
    """
    words = dict(pairwise(command))
    url = f"http://{words['--host']}:{words['--port']}"
    if _answers(words["--host"], int(words["--port"])):  # its health would be taken for that of the new one
        raise RuntimeError(f"another server listens at {url} already: end it, or name another --port (free_port() finds one)")
    found_by = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # the course, installed or not
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.evaluation.tethered", *command], stdin=subprocess.PIPE, stdout=file,
            stderr=subprocess.STDOUT, cwd=folder, env=os.environ | OFFLINE | {"PYTHONPATH": found_by, "PYTHONUTF8": "1"},
        )  # fmt: skip
    server = Server(process, url, log, 0.0)
    try:
        while not (_healthy(f"{url}/health") and server.running()):
            if not server.running() or time.monotonic() - began > timeout:
                state = f"ended with {process.returncode}" if not server.running() else f"isn't healthy after {timeout:g} s"
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"{shlex.join(command)} {state}. The end of {log}:\n{said}")
            time.sleep(0.1)
    except BaseException:  # also where the cell is interrupted while it waits
        server.stop()
        raise
    server.start_seconds = time.monotonic() - began
    return server


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _healthy(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy is for other machines
    try:
        with opener.open(address, timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False

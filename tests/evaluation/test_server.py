"""A server of one's own ends with the process that started it, and says why where it doesn't start."""

import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from helpers.evaluation import Server, free_port, start_server
from helpers.paths import ROOT

APP = "tests.evaluation.small_app:app"
# A parent that starts a server, says its process id, and then does what it is told.
PARENT = """
import sys, time
from pathlib import Path
from helpers.evaluation import free_port, start_server
server = start_server(["uvicorn", "tests.evaluation.small_app:app", "--host", "127.0.0.1", "--port", str(free_port())],
                      Path(sys.argv[1]))
print(server.pid, flush=True)
exec(sys.argv[2])
"""
ENDINGS = {
    "killed": "time.sleep(60)",
    "an error": "raise ValueError",
    "interrupted": "time.sleep(60)",
    "at its end": "",
    "without a word": "import os; os._exit(0)",
}


def command(port: int) -> list[str]:
    return ["uvicorn", APP, "--host", "127.0.0.1", "--port", str(port)]


def is_free(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_is_gone_when_its_starter_is(tmp_path, ending):
    words = [sys.executable, "-c", PARENT, str(tmp_path / "server.log"), ENDINGS[ending]]
    parent = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job would ignore it
    )  # fmt: skip
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    if ending == "killed":
        parent.kill()
    elif ending == "interrupted":
        parent.send_signal(signal.SIGINT)
    parent.wait(20)
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive, (tmp_path / "server.log").read_text()


def test_it_answers_keeps_its_log_and_frees_its_port(tmp_path):
    port = free_port()
    with start_server(command(port), tmp_path / "new" / "server.log") as server:
        assert server.running()
        assert server.url == f"http://127.0.0.1:{port}"
        assert 0 < server.start_seconds < 60
        assert not is_free(port)
    assert not server.running()
    server.stop()
    assert is_free(port)
    assert "GET /health" in server.log.read_text()


def test_why_it_does_not_start_is_said_with_its_own_words(tmp_path):
    words = ["uvicorn", "tests.evaluation.no_app:app", *command(free_port())[2:]]
    with pytest.raises(RuntimeError, match=r"uvicorn tests(.|\n)* ended with \d(.|\n)*Could not import module"):
        start_server(words, tmp_path / "server.log", timeout=30)


@pytest.fixture
def healthy_stranger():
    """The port of somebody else's server, which says that it is healthy."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_somebody_elses_server_is_not_taken_for_its_own(healthy_stranger, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=f"another server listens at http://127.0.0.1:{healthy_stranger} already"):
        start_server(command(healthy_stranger), tmp_path / "server.log")
    assert not (tmp_path / "server.log").exists()
    monkeypatch.setattr("helpers.evaluation.server._answers", lambda host, port: False)  # it comes a moment later
    monkeypatch.setattr(Server, "running", lambda self: self._process.wait(30) is None)
    with pytest.raises(RuntimeError, match=r"ended with \d(.|\n)*address already in use"):
        start_server(command(healthy_stranger), tmp_path / "server.log")


def test_one_that_never_gets_healthy_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.evaluation.server._healthy", lambda address: False)
    with pytest.raises(RuntimeError, match=r"isn't healthy after 1 s"):
        start_server(command(free_port()), tmp_path / "server.log", timeout=1)
    left = [one for one in psutil.Process(os.getpid()).children() if APP in one.cmdline()]
    assert not left

"""The embedded model behind the installed `transformers serve`: equal to the letter, and which of its doors are open.

Lesson 09 shows the doors; where one of these assertions fails after an upgrade, a door was opened or closed: say so there.
"""

import base64
import io
import json
import threading
import urllib.error
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helpers.data import load_chartqa
from helpers.evaluation import Served, ServedError, free_port, generate_answers, start_server
from helpers.models import SHORT_ANSWER
from helpers.paths import EMBEDDED_MODEL

WORDS = ["--host", "127.0.0.1", "--device", "cpu", "--dtype", "float32"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    command = ["transformers", "serve", EMBEDDED_MODEL.name, *WORDS, "--port", str(free_port())]
    with start_server(command, tmp_path_factory.mktemp("served") / "server.log", folder=EMBEDDED_MODEL.parent) as running:
        yield running


@pytest.fixture(scope="module")
def rows():
    return load_chartqa("embedded", "test", 24, seed=0)


def png(image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def post(server, path: str, body: dict) -> tuple[int, str]:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def request(row: dict, address: str, **more) -> dict:
    parts = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": row["query"]}]
    messages = [{"role": "system", "content": SHORT_ANSWER}, {"role": "user", "content": parts}]
    return {"model": EMBEDDED_MODEL.name, "messages": messages, "temperature": 0, "max_tokens": 16} | more


def said(reply: tuple[int, str]) -> str:
    status, text = reply
    assert status == 200, text
    return json.loads(text)["choices"][0]["message"]["content"].strip()


def test_served_answers_are_the_models_to_the_letter(server, rows, model, processor):
    here = generate_answers(model, processor, rows)
    assert generate_answers(Served(server.url, EMBEDDED_MODEL.name), None, rows) == here
    assert generate_answers(Served(server.url), None, rows) == here, "a server that is pinned takes the one it has"
    assert generate_answers(Served(server.url, system=None), None, rows) != here


def test_the_name_in_a_request_is_checked(server, rows):
    with pytest.raises(ServedError, match="HTTP 400: Server is pinned to"):
        generate_answers(Served(server.url, "tiny_smolvl"), None, rows)


def test_a_path_on_the_servers_disk_is_read(server, rows, tmp_path):
    """Open: whoever may ask can have any picture read that the server's user can read."""
    (tmp_path / "private.png").write_bytes(png(rows[0]["image"]))
    data = f"data:image/png;base64,{base64.b64encode(png(rows[0]['image'])).decode()}"
    by_path, by_data = (request(rows[0], address) for address in (str(tmp_path / "private.png"), data))
    assert said(post(server, "/v1/chat/completions", by_path)) == said(post(server, "/v1/chat/completions", by_data))


def test_an_address_is_fetched_from_where_the_server_stands(server, rows, tmp_path):
    """Open: the server sends requests into its own network for anybody."""
    (tmp_path / "inside.png").write_bytes(png(rows[0]["image"]))
    visits = []

    class Inside(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            visits.append(self.path)

    inside = ThreadingHTTPServer(("127.0.0.1", 0), Inside)
    threading.Thread(target=inside.serve_forever, args=(0.05,), daemon=True).start()
    said(post(server, "/v1/chat/completions", request(rows[0], f"http://127.0.0.1:{inside.server_port}/inside.png")))
    inside.shutdown()
    assert visits == ["/inside.png"]


def test_another_model_is_loaded_beside_the_pinned_one(server, tmp_path):
    """Open: ``/load_model`` knows nothing of pinning. From the disk; the hub is closed by ``HF_HUB_OFFLINE``."""
    status, text = post(server, "/load_model", {"model": str(EMBEDDED_MODEL)})
    assert status == 200
    assert '"status": "ready"' in text
    assert f"Loading {EMBEDDED_MODEL}@main" in server.log.read_text()
    status, text = post(server, "/load_model", {"model": "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"})
    assert '"status": "error"' in text


def test_anybody_may_unload_the_model_and_the_next_request_loads_it_again(server, rows, model, processor):
    """Open: ``/reset``."""
    assert post(server, "/reset", {})[0] == 200
    answers = generate_answers(Served(server.url, EMBEDDED_MODEL.name), None, rows)
    assert answers == generate_answers(model, processor, rows)
    assert server.log.read_text().count(f"Loading {EMBEDDED_MODEL.name}@main") == 2


def test_temperature_alone_does_not_sample(server, rows):
    data = f"data:image/png;base64,{base64.b64encode(png(rows[0]['image'])).decode()}"
    greedy, hot = (request(rows[0], data, temperature=heat) for heat in (0, 5.0))
    assert said(post(server, "/v1/chat/completions", hot)) == said(post(server, "/v1/chat/completions", greedy))


def test_a_broken_picture_is_a_bare_500(server, rows):
    status, text = post(server, "/v1/chat/completions", request(rows[0], "data:image/png;base64,bm8gcGljdHVyZQ=="))
    assert (status, text) == (500, "Internal Server Error")

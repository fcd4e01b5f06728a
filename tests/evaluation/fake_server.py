"""A server of the standard library that answers chat completions as a test tells it to, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeServer:
    """``reply(number, body)``: what the request of that number, counted from 0, gets: a text, or a status and a JSON body."""

    def __init__(self, reply: Callable[[int, dict], str | tuple[int, object]]):
        self.asked: list[dict] = []
        self.headers: list[dict] = []
        self.paths: list[str] = []
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                with lock:
                    number = len(self.asked)
                    self.asked.append(body)
                    self.headers.append({name.lower(): value for name, value in handler.headers.items()})
                    self.paths.append(handler.path)
                said = reply(number, body)
                status, content = said if isinstance(said, tuple) else (200, completion(said))
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                handler.send_response(status)
                handler.send_header("Content-Type", "application/json")
                handler.send_header("Content-Length", str(len(raw)))
                handler.end_headers()
                handler.wfile.write(raw)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a client that didn't wait
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def completion(text: str | None) -> dict:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "fake", "choices": [choice]}


def question(body: dict) -> str:
    """The text of the user's message."""
    return next(part["text"] for part in body["messages"][-1]["content"] if part["type"] == "text")


def picture(body: dict) -> str:
    """The address of its picture."""
    return next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url")

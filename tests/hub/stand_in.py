"""A hub on this machine's loopback, for tests: it serves files under real repository names, and fails on demand.

The routes are those that ``huggingface_hub``, ``transformers`` and ``datasets`` ask for when they load something::

    HEAD, GET  /[datasets/]{repository}/resolve/{revision}/{file}
    GET        /api/{models,datasets}/{repository}/revision/{revision}
    GET        /api/{models,datasets}/{repository}/tree/{revision}[/{folder}]?recursive=...

As on the hub, weights and parquet files are kept in LFS: their ETag is their sha256, other files' is git's hash.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_LFS = (".safetensors", ".parquet")


@dataclass
class Repository:
    """``kind``: "models" or "datasets". ``files``: content by path."""

    kind: str
    name: str
    revision: str
    files: dict[str, bytes]

    @classmethod
    def of_folder(cls, kind: str, name: str, folder: Path) -> "Repository":
        """The folder's files under ``owner/name@revision``."""
        name, _, revision = name.partition("@")
        return cls(kind, name, revision, {path.name: path.read_bytes() for path in sorted(folder.iterdir())})

    def etag(self, file: str) -> str:
        content = self.files[file]
        if file.endswith(_LFS):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Fault:
    """What goes wrong with requests whose method and path match ``on``, the first ``times`` times.

    ``status``: an answer instead of the file, with ``headers``. Or the content ends half-way: ``cut`` closes the connection,
    ``reset`` resets it. Or ``damage``: one byte of the content is another; size and ETag are the right ones.
    """

    on: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: str = ""
    times: int = 1_000_000


class StandInHub:
    """``with StandInHub(repositories) as hub``: it listens at ``hub.endpoint``; ``stop`` and ``start`` keep the port."""

    def __init__(self, repositories: list[Repository]):
        self.repositories = repositories
        self.faults: list[Fault] = []
        self.requests: list[str] = []  # "GET /path", as they came
        self.headers: set[str] = set()  # names of the headers that were sent
        self.bytes_sent: Counter[str] = Counter()  # of content, by the file's name
        self._port = 0
        self.start()

    def start(self) -> None:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more: connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def fault_for(self, request: str) -> Fault | None:
        fault = next((fault for fault in self.faults if fault.times and re.search(fault.on, request)), None)
        if fault is not None:
            fault.times -= 1
        return fault


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        request = f"{self.command} {unquote(url.path)}"
        self.hub.requests.append(request)
        self.hub.headers |= set(self.headers)
        fault = self.hub.fault_for(request)
        if fault is not None and fault.status:
            return self._send(fault.status, b"{}", fault.headers)
        path = unquote(url.path).strip("/")
        for repository in self.hub.repositories:
            prefix = "" if repository.kind == "models" else "datasets/"
            for route, serve in (
                (f"{prefix}{repository.name}/resolve/", self._file),
                (f"api/{repository.kind}/{repository.name}/tree/", self._tree),
                (f"api/{repository.kind}/{repository.name}/revision/", self._revision),
            ):
                if path.startswith(route):
                    revision, _, rest = path.removeprefix(route).partition("/")
                    if revision not in (repository.revision, "main"):
                        return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
                    return serve(repository, rest, parse_qs(url.query), fault)
        # As the hub does for a repository that isn't there, or that is somebody else's.
        return self._send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    def _revision(self, repository: Repository, *_) -> None:
        listed = [{"rfilename": name, "size": len(content)} for name, content in repository.files.items()]
        self._json({"id": repository.name, "sha": repository.revision, "siblings": listed, "private": False, "gated": False})

    def _tree(self, repository: Repository, folder: str, query: dict, *_) -> None:
        recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
        prefix = f"{folder}/" if folder else ""
        inside = [file for file in repository.files if file.startswith(prefix)]
        if folder and not inside:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        entries = {}
        for file in inside:
            below = file.removeprefix(prefix).split("/")
            if len(below) > 1:
                entries.setdefault(prefix + below[0], {"type": "directory", "path": prefix + below[0], "oid": "0" * 40})
            if len(below) == 1 or recursive:
                size = len(repository.files[file])
                entries[file] = {"type": "file", "path": file, "size": size, "oid": repository.etag(file)}
                if file.endswith(_LFS):
                    entries[file] |= {"oid": "0" * 40, "lfs": {"oid": repository.etag(file), "size": size, "pointerSize": 134}}
        self._json(list(entries.values()))

    def _file(self, repository: Repository, file: str, _query: dict, fault: Fault | None) -> None:
        commit = {"X-Repo-Commit": repository.revision}
        if file not in repository.files:
            return self._send(404, b"", commit | {"X-Error-Code": "EntryNotFound"})
        content = repository.files[file]
        headers = commit | {"ETag": f'"{repository.etag(file)}"', "Accept-Ranges": "bytes"}
        if fault is not None and fault.content == "damage":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 0x40]) + content[middle + 1 :]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted is None:
            return self._send(200, content, headers, fault)
        start = int(wanted[1])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(206, content[start:], headers, fault)

    def _json(self, value) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str], fault: Fault | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        broken = fault is not None and fault.content in ("cut", "reset")
        sent = content[: len(content) // 2] if broken else content
        self.hub.bytes_sent[Path(urlsplit(self.path).path).name] += len(sent)
        self.wfile.write(sent)
        if not broken:
            return
        self.close_connection = True
        if fault.content == "reset":  # closing with nothing to linger for sends a reset instead of an end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

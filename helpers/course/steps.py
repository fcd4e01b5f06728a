"""Run the set-up's programs: their words go to a log, a person sees one line that moves. Needs nothing but Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from helpers.paths import ROOT, UV_CACHE


class Steps:
    """Programs one after another, with one log. On a terminal a line counts the time and what has come onto the disk."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._began, self._free = time.monotonic(), shutil.disk_usage(ROOT).free

    def __enter__(self) -> Steps:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.log, "w", encoding="utf-8")
        return self

    def __exit__(self, *_) -> None:
        self._file.close()
        self._show("")

    def run(self, command: list[str]) -> bool:
        """Whether the program ended well."""
        print(f"$ {' '.join(command)}", file=self._file, flush=True)
        # The system's certificates, as pip takes them: uv's own don't know a network that reads along.
        environment = {"UV_SYSTEM_CERTS": "1"} | os.environ | {"UV_CACHE_DIR": str(UV_CACHE), "UV_NO_PROGRESS": "1"}
        done = subprocess.Popen(command, cwd=ROOT, stdout=self._file, stderr=subprocess.STDOUT, env=environment)
        try:
            while True:
                came = (self._free - shutil.disk_usage(ROOT).free) / 1e9
                self._show(f"  {time.monotonic() - self._began:.0f} s, {max(came, 0):.1f} GB so far (log: {self.log})")
                try:
                    return done.wait(timeout=1) == 0
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            done.kill()
            raise

    def end(self, lines: int = 8) -> str:
        """The last words of the log, and where the rest is."""
        words = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:]
        return "The last words:\n" + "\n".join(words) + f"\nAll of them: {self.log}"

    def _show(self, line: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{line:<79}\r" if not line else f"\r{line:<79}", end="", flush=True)


def size_of(*folders: Path) -> int:
    """Bytes that the folders take on the disk together; a file that stands in two of them by a link counts once."""
    seen, size = set(), 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                found = os.lstat(os.path.join(place, name))
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    size += found.st_size
    return size

"""The kernel that runs a lesson: the Python that calls the runner, whatever kernelspecs lie about, over private sockets."""

import logging
import os
import sys
import tempfile
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines

ENGINE = "course"
_LONGEST_FOLDER = 60  # characters; a socket's whole path may have about a hundred
_QUIET = logging.getLogger("helpers.kernel")  # papermill's would print what comes as an exception anyway
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class KernelStartError(RuntimeError):
    """The kernel did not start; the message is what it said itself."""


class CallersKernel(AsyncKernelManager):
    """Starts this very Python. A kernelspec called python3 on JUPYTER_PATH may be of another one, without the course."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, language="python", display_name="Python 3")


class CourseEngine(Engine):
    """papermill's engine, but for the kernel: whose it is, how one talks to it, and what becomes of its own words."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, execution_timeout=None, **kwargs) -> None:
        """KernelStartError with the kernel's words if it doesn't start, DeadKernelError with them if it ends in a cell."""
        with tempfile.TemporaryDirectory(prefix="kernel-", dir=_short_folder(), ignore_cleanup_errors=True) as folder:
            words = Path(folder) / "words.txt"
            km = CallersKernel(connection_file=os.path.join(folder, "kernel.json"))
            if os.name == "posix":  # files that only this user can open; TCP could be listened to by all of this machine
                km.transport = "ipc"
                km.ip = os.path.join(folder, "socket")
            client = PapermillNotebookClient(
                nb_man, km=km, kernel_name=kernel_name, timeout=execution_timeout, startup_timeout=start_timeout, log=_QUIET
            )
            with open(words, "wb") as file:
                try:
                    client.execute(stdout=file, stderr=file, cleanup_kc=True)
                except DeadKernelError as error:
                    raise DeadKernelError(f"{error}. {last_words(words)}".rstrip()) from error
                except RuntimeError as error:
                    raise KernelStartError(last_words(words) or str(error)) from error


def last_words(path: Path, lines: int = 5) -> str:
    """The end of what the kernel itself printed, outside of any cell."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-lines:])


def _short_folder() -> str | None:
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > _LONGEST_FOLDER else None


papermill_engines.register(ENGINE, CourseEngine)

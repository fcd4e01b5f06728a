"""Run a console script that ends with the process that started it: ``python -m helpers.evaluation.tethered NAME ARGUMENT ...``.

Standard input is a pipe whose writing end only the starter holds. The system closes it when that process ends, whether it
returns, is interrupted or is killed -9; here a thread waits for that. It needs nothing of the system but pipes, where
``prctl`` is Linux's alone and a process id may be somebody else's by the time it is looked at.
"""

import os
import sys
import threading
from importlib.metadata import entry_points


def _end_with_the_starter() -> None:
    try:
        while os.read(0, 1024):
            pass
    finally:
        os._exit(1)  # at once: there is nobody left to answer


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    (script,) = entry_points(group="console_scripts", name=sys.argv[1])
    del sys.argv[0]
    sys.exit(script.load()())

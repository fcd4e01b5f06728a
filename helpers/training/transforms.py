"""A transform that a notebook defines, in a form that other processes can be given."""

from collections.abc import Callable

import dill


class portable:
    """Above a transform that you write in a notebook: processes that load data can then use it on every system.

    Where processes are forked (Linux) they have it anyway. Where they are started anew (Windows, macOS, and everywhere from
    Python 3.14 on) functions are sent by name, and a notebook's names don't exist there: this one sends its code, and the
    values of what it uses.
    """

    def __init__(self, function: Callable):
        self.function = function
        self.__doc__ = function.__doc__

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def __reduce__(self):
        return _received, (dill.dumps(self.function, byref=False, recurse=True),)


def _received(code: bytes) -> portable:
    return portable(dill.loads(code))

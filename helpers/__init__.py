"""The plumbing behind the lessons, in rooms: see ``helpers/README.md`` for the map.

This file needs nothing but Python, and so does opening a room: ``python -m helpers setup`` runs on a fresh machine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence


def open_room(room: str, modules: Mapping[str, Sequence[str]]) -> tuple[Callable, Callable, list[str]]:
    """A room's ``__getattr__``, ``__dir__`` and ``__all__``: modules are imported when their names are used (PEP 562).

    ``room``: the package's ``__name__``. ``modules``: the public names of each module in it. A name must not be called like a
    module of the room: once that is imported, the package's attribute of this name is the module. ValueError if two modules
    share a name.
    """
    home: dict[str, str] = {}
    for module, names in modules.items():
        if twice := home.keys() & set(names):
            raise ValueError(f"{room}: {', '.join(sorted(twice))} in {module} and in another module")
        home |= dict.fromkeys(names, module)

    def __getattr__(name: str):
        if name not in home:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{room}.{home[name]}"), name)

    def __dir__() -> list[str]:
        return sorted(home)

    return __getattr__, __dir__, sorted(home)

"""Names of released models as people type them: with or without the owner, without what every chat model's name ends with."""

import difflib
import re
from collections.abc import Iterable


def find_model(wanted: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` (``owner/Name-Instruct``) that ``wanted`` means: also as ``Name-Instruct`` or ``name``."""
    for name in names:
        short = name.split("/")[-1]
        bare = re.sub(r"(-Video)?-Instruct$|-(it|hf|Llama3)$", "", short)
        if wanted.lower() in {form.lower() for form in (name, short, bare)}:
            return name
    return None


def unknown_model(wanted: str, names: Iterable[str]) -> str:
    """What to say when ``find_model`` finds none: the nearest name, and all of them."""
    shorts = [name.split("/")[-1] for name in names]
    near = difflib.get_close_matches(wanted.split("/")[-1], shorts, n=1)
    return f"{wanted!r} is not known." + (f" Did you mean {near[0]}?" if near else "") + f" There are: {', '.join(names)}"

"""Blocks of the README that a command writes, between two comments that name it."""

import re


def with_block(text: str, name: str, command: str, content: str) -> str:
    """``text`` with ``content`` between its marks ``<!-- name: command -->`` and ``<!-- end of name -->``.

    ValueError if the marks aren't there, or not once.
    """
    block = f"<!-- {name}: {command} -->\n{content}\n<!-- end of {name} -->"
    text, count = re.subn(rf"<!-- {name}:.*?<!-- end of {name} -->", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"README.md needs the marks <!-- {name}: --> and <!-- end of {name} --> once")
    return text

"""Lesson 09's start of a server as an exercise: its words are read by the command itself, as it would read them."""

import ipaddress
from pathlib import PurePath

MODEL = "merged"


def start_problem(started) -> str | None:
    if not isinstance(started, dict) or not {"command", "environment"} <= started.keys():
        return "started keeps its two entries, command (a list of words) and environment (a dict)"
    words, environment = started["command"], started["environment"]
    if isinstance(words, str):
        return "command is one text; it is a list of words: shlex.split makes one of it"
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        return "command is a list of words, each of them a text"
    if list(words[:2]) != ["transformers", "serve"]:
        return "the command still begins with transformers serve"
    options = _read(list(words[2:]))
    if options["enable_cors"]:
        return "with --enable-cors any page in a visitor's browser may ask it"
    if not _is_this_machine(options["host"]):
        return f"{options['host']} lets other machines in, and there is no key: it belongs on this machine alone"
    if options["force_model"] is None:
        return f"without a model among its words the server loads whatever a request names: pin it to {MODEL}"
    if PurePath(options["force_model"]) != PurePath(MODEL):  # ./merged and merged/ are the same folder
        return f"it is pinned to {options['force_model']}; the folder that it is meant to serve is {MODEL}"
    return _offline_problem(environment)


def _read(words: list[str]) -> dict:
    """The server's options by name. What the command refuses, it refuses here, in its own words."""
    import typer  # here: only this exercise needs the command, and it takes seconds to import
    from transformers.cli.serve import Serve

    app = typer.Typer()
    app.command()(Serve)
    return typer.main.get_command(app).make_context("transformers serve", words).params


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _offline_problem(environment) -> str | None:
    from huggingface_hub.constants import ENV_VARS_TRUE_VALUES

    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        return "environment is a dict of texts: a process is given nothing else"
    # The hub looks at the second only where the first is missing or empty.
    said = environment.get("HF_HUB_OFFLINE") or environment.get("TRANSFORMERS_OFFLINE") or ""
    if said.upper() in ENV_VARS_TRUE_VALUES:
        return None
    if said:
        return (
            f"{said!r} doesn't keep it off the hub: {', '.join(sorted(ENV_VARS_TRUE_VALUES))} do, and HF_HUB_OFFLINE goes first"
        )
    return "pinned, it still fetches from the hub what /load_model names: HF_HUB_OFFLINE is '1' in its environment"

"""Whether the lessons can work with a model at all: said from its config and chat template, before weights are downloaded."""

from functools import lru_cache
from pathlib import Path

from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from helpers.models.prompts import SHORT_ANSWER, chat

_INSTEAD = "take one that was trained to chat about pictures, such as HuggingFaceTB/SmolVLM2-2.2B-Instruct"
_PROCESSOR = ("processor_config.json", "preprocessor_config.json")


@lru_cache
def check_config(found: str, revision: str | None) -> None:
    """ValueError if transformers opens the model with that config by something else than ``AutoModelForImageTextToText``.

    ``found``, ``revision``: as :func:`helpers.models.locate` says them, its small files in the cache. FileNotFoundError for a
    folder that holds no model.
    """
    if (folder := Path(found)).is_dir() and not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        raise FileNotFoundError(
            f"{found} holds an adapter, no model: give the model that it was trained on, and this folder as the adapter"
            if adapter
            else f"{found} holds no model: there is no config.json in it"
        )
    try:
        config = AutoConfig.from_pretrained(found, revision=revision, local_files_only=True)
    except ValueError as error:  # an unknown model_type, or code of the model's own, which the course never runs
        raise ValueError(f"{found} needs code of its own, which is never run here: {_INSTEAD}") from error
    if type(config) in AutoModelForImageTextToText._model_mapping:
        return
    pictures = any(hasattr(config, part) for part in ("vision_config", "vision_model", "image_token_id"))
    reason = "is no AutoModelForImageTextToText of transformers" if pictures else "takes no pictures"
    raise ValueError(f"{found} ({config.model_type}) {reason}: {_INSTEAD}")


def check_template(processor, name: str) -> None:
    """ValueError if the processor's chat template can't write a conversation of the course, or if there is none.

    Trainer and lessons give every turn as a list of parts (trl, ``prepare_multimodal_messages``); some templates want text.
    """
    if getattr(processor, "chat_template", None) is None:
        raise ValueError(f"{name} has no chat template, so it was not trained to answer in turns: {_INSTEAD}")
    said = "a question", "an answer"
    turns = [*chat(said[0], SHORT_ANSWER), {"role": "assistant", "content": [{"type": "text", "text": said[1]}]}]
    try:
        written = processor.apply_chat_template(turns)
    except Exception as error:  # jinja's, or Python's own where a list is added to a text
        raise ValueError(f"the chat template of {name} takes no lists of parts ({_first_line(error)}): {_INSTEAD}") from error
    if "'type'" in written or not all(text in written for text in (*said, SHORT_ANSWER)):
        raise ValueError(f"the chat template of {name} takes no lists of parts, it writes {written[-80:]!r}: {_INSTEAD}")


@lru_cache
def check_model(found: str, revision: str | None, folder: str) -> None:
    """Both checks, before weights are loaded; ``folder`` holds the small files. Without a processor there, no template."""
    check_config(found, revision)
    if any((Path(folder) / name).is_file() for name in _PROCESSOR):
        check_template(AutoProcessor.from_pretrained(found, revision=revision, local_files_only=True), found)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

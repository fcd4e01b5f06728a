"""Released vision language models as data: their shapes, opened into transformers' config objects, with no download.

On the meta device a model of any size is built from its config in seconds and without memory: every tensor has a shape
and no numbers. That is enough to count parameters and bytes exactly.
"""

import copy
import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForImageTextToText, PreTrainedConfig, PreTrainedModel

from helpers.models.load import locate
from helpers.models.names import find_model, unknown_model
from helpers.paths import resolve

_DATA: dict[str, dict] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
ARCHITECTURES = tuple(_DATA)
COMPONENTS = ("vision", "connector", "text", "head")

# Parts of a parameter's path that place it in a component; the first row with a match decides. Qwen's merger lies *inside*
# the module called `visual`, so the connector is looked for before the vision tower.
_PLACES = {
    "head": r"lm_head",
    "text": r"language_model|text_model|text_decoder",
    "connector": r"connector|\w*projector|\w*merger(_list)?|\w*resampler(_model)?|qformer|query_tokens|aligner|image_newline|"
    r"\w*embed_vision|(language|modality|vision|visual)_projection|vision_adapter",
    "vision": r"visual|vit|(\w+_)?vision(_\w+)?|(image|video)_(encoder|tower)|vqmodel",
}


def load_config(source: str | Path | Mapping | PreTrainedConfig) -> PreTrainedConfig:
    """The config of a model, from whatever says which one it is.

    ``source``: one of ``ARCHITECTURES``, with or without its owner; "embedded"; the path of a ``config.json`` or of its
    folder; the content of one as a dict; a hub id, with ``@revision`` or without; a config object, which comes back as it is.
    ValueError says what is possible.
    """
    if isinstance(source, PreTrainedConfig):
        return source
    if isinstance(source, Mapping):
        return _from_dict(source)
    if (name := find_model(str(source), ARCHITECTURES)) is not None:
        return _from_dict(_DATA[name])
    found, revision = locate(str(source))
    path = resolve(found)
    if path.is_dir():
        path = path / "config.json"
    if path.is_file():
        return _from_dict(_read(path))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", found):
        raise ValueError(_unknown(source))
    try:
        return AutoConfig.from_pretrained(found, revision=revision)
    except (OSError, ValueError) as error:
        raise ValueError(f"{_unknown(source)} The hub gave no config: {error}") from error


def meta_model(config: PreTrainedConfig) -> PreTrainedModel:
    """The model of ``config`` on the meta device: shapes, dtypes and ties between weights, but no numbers.

    ValueError lists the vision language models that transformers knows if ``config`` is of none of them.
    """
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def component_of(name: str) -> str:
    """The one of ``COMPONENTS`` that a parameter or module of that name belongs to; what is nothing else is ``text``.

    The connector is what turns the vision tower's features into the text model's: Idefics and SmolVLM call it connector,
    LLaVA, PaliGemma and Gemma multi_modal_projector, Qwen merger.
    """
    parts = name.split(".")
    return next((place for place, names in _PLACES.items() if any(re.fullmatch(names, part) for part in parts)), "text")


def _from_dict(data: Mapping) -> PreTrainedConfig:
    kind = data.get("model_type")
    if kind not in CONFIG_MAPPING:
        near = difflib.get_close_matches(str(kind), list(CONFIG_MAPPING), n=3) or ["smolvlm", "idefics3", "qwen2_vl"]
        raise ValueError(f"the config's model_type is {kind!r}, which transformers doesn't know; near: {', '.join(near)}")
    # A copy, as transformers takes entries out of what it is given.
    return CONFIG_MAPPING[kind].from_dict(copy.deepcopy(dict(data)))


def _read(path: Path) -> dict:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds no config: a config.json is an object with a model_type")
    return data


def _unknown(source) -> str:
    return (
        f"{unknown_model(str(source), ARCHITECTURES)}; or give the path of a config.json, its content as a dict, "
        "or a hub id as owner/name."
    )

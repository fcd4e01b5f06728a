"""A model of a released one's size that nobody has to download: its architecture, random weights, the embedded tokenizer.

The memory and the time of a step don't depend on what the weights' values are, so this is all that a look at a GPU needs,
also where there is no network. What it answers is noise: accuracy is never asked of it.
"""

import shutil
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText

from helpers.models import PROCESSORS, find_model, load_config, load_processor
from helpers.paths import resolve


def random_model(architecture: str, folder: str | Path, device: str = "cpu", precision: str = "bfloat16") -> Path:
    """``folder``, after a model of ``architecture`` and its processor were saved there; a folder that is whole is kept.

    ``architecture``: a name that :func:`helpers.models.load_config` and ``PROCESSORS`` both know. ``device``: where the numbers
    are drawn; two billion of them take seconds on a GPU and a minute on a CPU. Any lesson takes it: ``--set MODEL=FOLDER``.
    """
    folder = resolve(folder)
    if folder.is_dir():
        return folder
    part = folder.with_name(folder.name + ".part")  # renamed at the end: half a model must not be taken for a whole one
    shutil.rmtree(part, ignore_errors=True)
    config, processor = load_config(architecture), processor_like(architecture)
    ids = {name: getattr(processor.tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    for part_of in (config, config.get_text_config()):
        for name, value in ids.items():
            setattr(part_of, name, value)
    config.image_token_id = processor.image_token_id
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config, dtype=getattr(torch, precision))
    for name, value in ids.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(part)
    processor.save_pretrained(part)
    part.rename(folder)
    return folder


def processor_like(architecture: str):
    """The embedded processor, set to cut pictures as the released one does: as many tiles, as many tokens a tile."""
    settings, vision = PROCESSORS[find_model(architecture, PROCESSORS)], load_config(architecture).vision_config
    processor = load_processor("embedded")
    pictures = processor.image_processor
    pictures.size, pictures.max_image_size = settings["size"], settings["max_image_size"]
    pictures.do_image_splitting = settings.get("do_image_splitting", True)
    processor.image_seq_len = (vision.image_size // vision.patch_size // load_config(architecture).scale_factor) ** 2
    return processor

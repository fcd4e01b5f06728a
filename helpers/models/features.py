"""What a vision tower made of pictures, of any family: taken out, moved, and put together again for the text model."""

import torch
from transformers.modeling_outputs import ModelOutput

_READ = ("pooler_output", "deepstack_features")  # what models read of the features that they are given


def unwrapped(model):
    """The model without PEFT's wrapper; adapters that are in its layers stay there."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def by_picture(pixel_values: torch.Tensor, grid: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
    """Each picture's own. ``grid``: Qwen's, which has the patches of all pictures in a row, and how many each has."""
    return pixel_values.split([1] * len(pixel_values) if grid is None else grid.prod(-1).tolist())


def read_features(seen: ModelOutput) -> dict:
    """What is read of ``get_image_features``' output, and its type as ``kind``: all that has to be kept."""
    return {"kind": type(seen)} | {name: seen[name] for name in _READ if name in seen}


def together(features: list[dict]) -> ModelOutput:
    """The features of a batch, picture after picture, as the model's own ``get_image_features`` would return them."""
    names = features[0].keys() - {"kind"}
    return features[0]["kind"](**{name: joined([each[name] for each in features]) for name in names})


def joined(values: list):
    """The parts as one again."""
    first = values[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(values)
    if isinstance(first, list | tuple) and isinstance(first[0], torch.Tensor):
        return [each for value in values for each in value]
    return type(first)(map(joined, zip(*values, strict=True))) if isinstance(first, list | tuple) else first


def moved(value, device):
    """Every tensor in it, there."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: moved(each, device) for name, each in value.items()}
    return type(value)(moved(each, device) for each in value) if isinstance(value, list | tuple) else value


def bytes_of(value) -> int:
    """Bytes that the tensors in it hold: all of a storage, and once, however many of them share it."""
    storages = [tensor.untyped_storage() for tensor in _tensors(value)]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors(each)

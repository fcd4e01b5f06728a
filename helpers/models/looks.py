"""Every picture through the vision tower once, however often a training shows it."""

import inspect
from functools import wraps
from hashlib import blake2b

import torch

from helpers.models.parts import text_model


def look_once(model, seen: dict | None = None, room: float = 2e9) -> dict:
    """Keep what the vision tower makes of each picture, for a training of the text model: at most ``room`` bytes of it, in the
    computer's own memory. When they are full, the oldest goes.

    What comes back is what is kept, by the bytes of the pixels: given as ``seen`` for another model with the same eyes, it
    spares that one the same looks. ValueError if anything before the text model is trained: then it will see differently.
    """
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    inside, kept_out = whole.model, {id(parameter) for parameter in text_model(whole)[1].parameters()}
    for name, parameter in inside.named_parameters():
        if parameter.requires_grad and id(parameter) not in kept_out:
            raise ValueError(f"{name} is trained, so no picture will look the same twice: freeze it, or don't look once")
    encode = inside.get_image_features
    names = list(inspect.signature(encode).parameters)
    seen = {} if seen is None else seen

    @torch.no_grad()
    @wraps(encode)  # generate() reads in its signature what to pass
    def encode_once(pixel_values, *rest, **options):
        options |= dict(zip(names[1:], rest, strict=False))
        grid = options.get("image_grid_thw")  # Qwen: the patches of all pictures in a row, and how many each has
        pictures = pixel_values.split([1] * len(pixel_values) if grid is None else grid.prod(-1).tolist())
        features = []
        for at, picture in enumerate(pictures):
            own = {
                name: value[at : at + 1] if torch.is_tensor(value) and len(value) == len(pictures) else value
                for name, value in options.items()
            }
            key = blake2b(b"".join(map(_bytes_of, (picture, *own.values())))).digest()
            if key not in seen:
                seen[key] = _moved(_together([encode(picture, **own)]), "cpu")
                while len(seen) > 1 and len(seen) * _size_of(seen[key]) > room:
                    del seen[next(iter(seen))]  # the oldest
            features.append(seen[key])
        return _moved(_together(features), pixel_values.device)

    inside.get_image_features = encode_once
    return seen


def _bytes_of(value) -> bytes:
    return value.contiguous().view(torch.uint8).cpu().numpy().tobytes() if torch.is_tensor(value) else b""


def _moved(value, device):
    """Features, or any list of tensors in them, there."""
    if torch.is_tensor(value):
        return value.to(device)
    if isinstance(value, dict):
        return type(value)(**{name: _moved(part, device) for name, part in value.items()})
    return type(value)(_moved(part, device) for part in value) if isinstance(value, list | tuple) else value


def _size_of(features) -> int:
    kept = features.pooler_output
    return sum(part.numel() * part.element_size() for part in ([kept] if torch.is_tensor(kept) else kept))


def _as_one(parts: list):
    return torch.cat(parts) if torch.is_tensor(parts[0]) else [piece for part in parts for piece in part]


def _together(features: list):
    """The features of single pictures as the model would have made them of the batch: what its text model reads."""
    joined = type(features[0])()
    joined.pooler_output = _as_one([one.pooler_output for one in features])
    if layers := getattr(features[0], "deepstack_features", None):  # Qwen3-VL feeds deeper layers too
        joined.deepstack_features = [_as_one([one.deepstack_features[at] for one in features]) for at in range(len(layers))]
    return joined

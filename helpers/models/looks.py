"""Every picture through the vision tower once, however often a training shows it."""

import inspect
from functools import wraps

import torch
from xxhash import xxh3_128

from helpers.models.features import by_picture, bytes_of, moved, read_features, together, unwrapped
from helpers.models.parts import text_model


def look_once(model, seen: dict | None = None, room: float = 2e9) -> dict:
    """Keep what the vision tower makes of each picture, for a training of the text model: at most ``room`` bytes of it, in the
    computer's own memory. When they are full, the oldest goes.

    What comes back is what is kept, by the bytes of the pixels: given as ``seen`` for another model with the same eyes, it
    spares that one the same looks. ValueError if anything before the text model is trained: then it will see differently.
    """
    whole = unwrapped(model)
    inside, kept_out = whole.model, {id(parameter) for parameter in text_model(whole)[1].parameters()}
    for name, parameter in inside.named_parameters():
        if parameter.requires_grad and id(parameter) not in kept_out:
            raise ValueError(f"{name} is trained, so no picture will look the same twice: freeze it, or don't look once")
    encode = inside.get_image_features
    names = list(inspect.signature(encode).parameters)
    seen = {} if seen is None else seen
    held = sum(map(bytes_of, seen.values()))

    @torch.no_grad()
    @wraps(encode)  # generate() reads in its signature what to pass
    def encode_once(pixel_values, *rest, **options):
        nonlocal held
        options |= dict(zip(names[1:], rest, strict=False))
        pictures = by_picture(pixel_values, options.get("image_grid_thw"))
        features = []
        for at, picture in enumerate(pictures):
            own = {
                name: value[at : at + 1] if torch.is_tensor(value) and len(value) == len(pictures) else value
                for name, value in options.items()
            }
            key = _key(picture, *own.values())
            if key not in seen:
                seen[key] = moved(read_features(encode(picture, **own)), "cpu")
                held += bytes_of(seen[key])
                while len(seen) > 1 and held > room:
                    held -= bytes_of(seen.pop(next(iter(seen))))  # the oldest
            features.append(seen[key])
        return together(moved(features, pixel_values.device))

    inside.get_image_features = encode_once
    return seen


def _key(*values) -> bytes:
    """A digest of the bytes of all tensors among them."""
    key = xxh3_128()
    for value in values:
        if torch.is_tensor(value):
            key.update(value.contiguous().flatten().view(torch.uint8).cpu().numpy())
    return key.digest()

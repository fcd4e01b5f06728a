"""What a vision tower saw, kept: features of pictures, for as long as the same eyes would see the same."""

import copy
import hashlib
import inspect
import json

import torch

from helpers.models import bytes_of, moved, read_features, text_model, unwrapped


class KeptFeatures:
    """Features of pictures between calls of ``generate_answers``: what frozen eyes saw once, they needn't look at again.

    At most ``max_bytes``, the accounts included, in the computer's own memory; the first that come stay. A model whose tower or
    connector has other weights, other settings or another precision begins anew; one with an adapter in them is never served.
    """

    def __init__(self, max_bytes: float = 2e9):
        self.max_bytes, self.bytes = max_bytes, 0
        self.eyes: str | None = None
        self.entries: dict[str, tuple[dict, dict]] = {}

    def of(self, model, processor) -> dict[str, tuple[dict, dict]]:
        """What is kept for this model and processor, by the picture's key: (the processor's account of it, its features)."""
        eyes = eyes_key(model, processor)
        if eyes is None or eyes != self.eyes:
            self.eyes, self.entries, self.bytes = eyes, {}, 0
        return self.entries

    def keep(self, key: str, account: dict, features: dict) -> None:
        """Take it in, if the eyes are ones to keep for and there is room."""
        size = bytes_of([account, features])
        if self.eyes is not None and key not in self.entries and self.bytes + size <= self.max_bytes:
            # A copy of the account: what a loading process sent lies in shared memory, with an open file for each tensor.
            self.entries[key] = copy.deepcopy(account), moved(features, "cpu")
            self.bytes += size


def eyes_key(model, processor) -> str | None:
    """The same text where the same pixels give the same features; None where an adapter, which can be switched off and on, is
    in the way. Over every tensor of the model outside its text model and head: in 16 bit about a second for 0.8 GB."""
    whole = unwrapped(model)
    path, _ = text_model(whole)
    head = whole.get_output_embeddings()
    others = [(name, module) for name, module in whole.named_modules() if not f"{name}.".startswith(f"{path}.")]
    if any(type(module).__module__.startswith("peft.") for _, module in others):
        return None
    skipped = (f"{path}.", *(f"{name}." for name, module in others if module is head))
    settings = {name: value for name, value in whole.config.to_dict().items() if not _of_text(name)}
    said = [type(whole).__name__, settings, processor.image_processor.to_dict(), str(whole.dtype), str(whole.device)]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    for name, tensor in whole.state_dict().items():
        if not name.startswith(skipped) and isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _of_text(setting: str) -> bool:
    # A trainer switches the text model's cache off in the whole model's config: its eyes are no others for that.
    return setting in ("text_config", "use_cache") or setting[0] == "_"


def takes_features(model) -> bool:
    """Whether ``generate`` may be given the features instead of the pixels: newer families of transformers can."""
    whole = unwrapped(model)
    asked = inspect.signature(whole.forward).parameters
    return "mm_encoder_outputs" in asked and hasattr(whole.base_model, "get_image_features")


def look(model, pictures: list[dict]) -> list[dict]:
    """The features of each picture. ``pictures``: what the processor made of each alone; those of one shape go together."""
    encode = unwrapped(model).base_model.get_image_features
    asked = inspect.signature(encode).parameters
    alike: dict[tuple, list[int]] = {}
    for at, picture in enumerate(pictures):
        alike.setdefault(tuple((name, tuple(value.shape)) for name, value in picture.items()), []).append(at)
    found: list[dict] = [{}] * len(pictures)
    for places in alike.values():
        inputs = {name: torch.cat([pictures[at][name] for at in places]) for name in pictures[places[0]] if name in asked}
        seen = encode(**inputs, return_dict=True)
        each = len(seen.pooler_output) // len(places)  # a picture may be several to the model: crops
        for n, at in enumerate(places):
            found[at] = {
                name: value if name == "kind" else part(value, n * each, (n + 1) * each)
                for name, value in read_features(seen).items()
            }
    return found


def part(value, start: int, stop: int):
    """Pictures ``start`` to ``stop`` of a tensor or list over pictures, or of each layer's."""
    if isinstance(value, torch.Tensor):
        return value[start:stop].clone()  # a view would hold the whole batch
    if isinstance(value, list | tuple) and isinstance(value[0], torch.Tensor):
        return [each.clone() for each in value[start:stop]]
    return type(value)(part(each, start, stop) for each in value) if isinstance(value, list | tuple) else value

"""The parts of a model that lessons take in hand, found as transformers finds them: every family names its own differently."""

from torch import nn


def vision_tower(model: nn.Module) -> nn.Module:
    """The vision tower of a model, wrapped by PEFT or not: what turns pixels into features, without the connector.

    SmolVLM calls it ``vision_model``, LLaVA and Gemma 3 ``vision_tower``, Qwen ``visual``, which has its connector, the
    merger, inside. Found by transformers' ``get_encoder(modality="image")``. ValueError if the model has none of its own.
    """
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    tower = whole.get_encoder(modality="image") if hasattr(whole, "get_encoder") else None
    # Where there is none, transformers returns what it was asked about: the model, or the model without its head.
    if tower is None or tower in (whole, getattr(whole, "base_model", None)):
        raise ValueError(f"{type(whole).__name__} has no vision tower of its own: there is nothing in it to spare or to freeze")
    return tower


def text_model(model: nn.Module) -> tuple[str, nn.Module]:
    """The text model inside a model, and its path there: ``("model.language_model", ...)``.

    It is without its head, but for families that keep the two together (Llama 4, BLIP-2, Kosmos-2). Found by transformers'
    ``get_decoder()``. ValueError if the model has none of its own.
    """
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    path = next((name for name, module in model.named_modules() if module is decoder), "")
    if not path or decoder is getattr(model, "base_model", None):
        raise ValueError(f"{type(model).__name__} has no text model of its own beside a vision tower")
    return path, decoder

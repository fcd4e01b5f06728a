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
    """The text model inside a model, without its head, and its path there: ``("model.language_model", ...)``.

    Found by transformers' ``get_decoder()``. ValueError if the model has none of its own.
    """
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    if hasattr(decoder, "get_output_embeddings") and decoder.get_output_embeddings() is not None:
        # In Llama 4, BLIP-2 and Kosmos-2 it is a whole language model: what it has beside the head is where its words go in.
        # T5 has none such beside its words: the whole model stays, and its head is left out by those who ask for layers.
        words = decoder.get_input_embeddings()
        inside = (
            part for part in decoder.children() if part is not words and any(module is words for module in part.modules())
        )
        decoder = next(inside, decoder)
    path = next((name for name, module in model.named_modules() if module is decoder), "")
    if not path or decoder is getattr(model, "base_model", None):
        raise ValueError(f"{type(model).__name__} has no text model of its own beside a vision tower")
    return path, decoder

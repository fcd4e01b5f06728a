"""What a processor really makes of a picture: a blank one of the size goes through it, and the tokens are counted.

The truth for every family, also for those whose rule nobody wrote down; some milliseconds a picture.
"""

from PIL import Image

# Where processors and tokenizers keep the token that is repeated for a picture. On Gemma 3 the processor's own is the one that
# marks the picture's beginning, and the tokenizer's is repeated; on Llama 4 it has a name of its own.
_NAMES = ("image_token_id", "image_token_ids")
_WORDS = ("image_token", "img_patch_token", "context_image_token")


def image_token_id(processor) -> int:
    """The token that a picture's features take the place of: ``model.config.image_token_id``, told from the processor alone.

    ``processor``: as ``load_processor`` returns it. Of the tokens that it calls image tokens, the one that a picture repeats.
    ValueError if none comes in.
    """
    with_picture, _, _ = _through(processor, 64, 64)
    return _repeated(processor, with_picture)


def look(width: int, height: int, processor) -> tuple[int, int, int]:
    """(tiles, image tokens, other tokens) that a picture adds to a prompt of this processor.

    ValueError if it takes no picture of that size.
    """
    with_picture, without, tiles = _through(processor, width, height)
    image_tokens = with_picture.count(_repeated(processor, with_picture))
    return tiles, image_tokens, len(with_picture) - len(without) - image_tokens


def _through(processor, width: int, height: int) -> tuple[list[int], list[int], int]:
    """Token ids of a prompt with a blank picture at its end and of the same without; and how many tiles the tower gets."""
    prompt, without = _prompts(processor)
    blank = Image.new("RGB", (width, height))
    try:
        inputs = processor(text=[prompt], images=[[blank]], return_tensors="pt", add_special_tokens=False)
    except (ValueError, ZeroDivisionError, RuntimeError) as error:
        raise ValueError(f"{type(processor).__name__} takes no picture of {width} x {height} pixels: {error}") from error
    shape = inputs["pixel_values"].shape  # (batch, tiles, ...) as lists of pictures, (tiles, ...), or all patches in one row
    tiles = {5: shape[1], 4: shape[0], 3: shape[0]}.get(len(shape), 1)
    return inputs["input_ids"][0].tolist(), processor.tokenizer(without, add_special_tokens=False)["input_ids"], tiles


def _prompts(processor) -> tuple[str, str]:
    if getattr(processor, "chat_template", None) is None:
        token = str(processor.image_token)
        return f"?{token}", "?"
    text, picture = {"type": "text", "text": "?"}, {"type": "image"}
    write = processor.apply_chat_template
    return tuple(write([{"role": "user", "content": parts}]) for parts in ([text, picture], [text]))


def _repeated(processor, ids: list[int]) -> int:
    tokenizer, named = processor.tokenizer, []
    for holder in (tokenizer, processor):
        for name in _NAMES:
            found = getattr(holder, name, None)
            named += found if isinstance(found, list) else [found]
        named += [tokenizer.convert_tokens_to_ids(str(getattr(holder, word, None))) for word in _WORDS]
    repeated = max((token for token in named if token is not None), key=ids.count, default=None)
    if repeated not in ids:
        raise ValueError(f"{type(processor).__name__} puts none of its image tokens in: take its count from the model's config")
    return repeated

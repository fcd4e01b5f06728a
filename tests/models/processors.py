"""Processors of families that ``families.py`` has no model of, with released models' image settings where they are known."""

import transformers as tf

from tests.models.families import CHATML, HALF, SPLIT, tokenizer

_MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"]


def _tokenizer(*more: str, names: dict | None = None):
    return tokenizer([*_MARKS, *more], eos="<|im_end|>", pad="<|endoftext|>", names=names)


def _qwen(**settings):
    places = [f"<|{place}|>" for place in ("vision_start", "vision_end", "image_pad", "video_pad")]
    template = CHATML.replace("<image>\\n", "<|vision_start|><|image_pad|><|vision_end|>")
    images = tf.Qwen2VLImageProcessor(**settings)
    return tf.Qwen2VLProcessor(images, _tokenizer(*places), tf.Qwen2VLVideoProcessor(), chat_template=template)


def qwen_min_max_pixels():
    return _qwen(min_pixels=16 * 28 * 28, max_pixels=64 * 28 * 28)


def qwen_size():
    return _qwen(size={"shortest_edge": 4 * 32 * 32, "longest_edge": 100 * 32 * 32}, patch_size=16)


def glm4v():
    names = {"image_token": "<|image|>", "video_token": "<|video|>"}
    tok = _tokenizer("<|begin_of_image|>", "<|end_of_image|>", *names.values(), names=names)
    template = CHATML.replace("<image>\\n", "<|begin_of_image|><|image|><|end_of_image|>")
    size = {"shortest_edge": 112 * 112, "longest_edge": 200 * 28 * 28}
    return tf.Glm4vProcessor(tf.Glm4vImageProcessor(size=size), tok, tf.Glm4vVideoProcessor(), chat_template=template)


def _llava_next(**settings):
    images = tf.LlavaNextImageProcessor(**settings)
    more = {"patch_size": 14, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
    return tf.LlavaNextProcessor(images, _tokenizer(), image_token="<image>", chat_template=CHATML, **more)


def llava_next():
    """As llava-v1.6-mistral-7b-hf, whose config.json has the grids."""
    grids = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    return _llava_next(image_grid_pinpoints=grids, size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})


def llava_next_small():
    square = {"height": 56, "width": 56}
    grids = [[56 * rows, 56 * columns] for rows in range(1, 5) for columns in range(1, 5)]
    return _llava_next(image_grid_pinpoints=grids, size={"shortest_edge": 56}, crop_size=square)


def llava_onevision_at_most_two():
    """So many patches that they are thinned out."""
    one = {"size": {"height": 42, "width": 42}, **HALF}
    grids = [[42 * rows, 42 * columns] for rows in range(1, 7) for columns in range(1, 7)]
    images, films = tf.LlavaOnevisionImageProcessor(image_grid_pinpoints=grids, **one), tf.LlavaOnevisionVideoProcessor(**one)
    return tf.LlavaOnevisionProcessor(
        images, _tokenizer("<video>"), films, num_image_tokens=9, vision_feature_select_strategy="full", image_token="<image>",
        video_token="<video>", vision_aspect_ratio="anyres_max_2", chat_template=CHATML,
    )  # fmt: skip


def mistral3():
    """Squares of 2 x 2 patches of 14 pixels."""
    special = {"image_token": "[IMG]", "image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]"}
    images = tf.PixtralImageProcessor(size={"longest_edge": 280}, patch_size=14)
    template = CHATML.replace("<image>\\n", "[IMG]")
    tok = _tokenizer(*special.values())
    return tf.PixtralProcessor(images, tok, patch_size=14, spatial_merge_size=2, chat_template=template, **special)


def internvl():
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    names["video_token"] = "<video>"
    images = tf.GotOcr2ImageProcessor(size={"height": 56, "width": 56}, min_patches=1, max_patches=12, crop_to_patches=True)
    template = CHATML.replace("<image>\\n", "<IMG_CONTEXT>\\n")
    tok = _tokenizer(*names.values(), names=names)
    return tf.InternVLProcessor(images, tok, tf.InternVLVideoProcessor(), image_seq_length=4, chat_template=template)


def _idefics2(split: bool):
    names = {"image_token": "<image>", "image_boundary_token": "<fake_token_around_image>"}
    tok = _tokenizer("<fake_token_around_image>", names=names)
    size = {"shortest_edge": 28, "longest_edge": 70}
    images = tf.Idefics2ImageProcessor(do_image_splitting=split, size=size)
    return tf.Idefics2Processor(images, tok, image_seq_len=8, chat_template=CHATML)


def idefics2():
    return _idefics2(split=True)


def idefics2_whole():
    return _idefics2(split=False)


def paligemma():
    """Without a chat template, as released ones."""
    tok = tokenizer(
        ["<pad>", "<eos>", "<bos>", "<image>"], bos="<bos>", eos="<eos>", pad="<pad>", names={"image_token": "<image>"}
    )
    images = tf.SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    return tf.PaliGemmaProcessor(images, tok)


def smolvlm_split_off():
    pictures, films = tf.SmolVLMImageProcessor(**SPLIT | {"do_image_splitting": False}), tf.SmolVLMVideoProcessor(**SPLIT)
    names = {"image_token": "<image>", "fake_image_token": "<fake>", "global_image_token": "<global-img>"}
    names["end_of_utterance_token"] = "<end_of_utterance>"
    tok = _tokenizer(*(name for name in names.values() if name != "<image>"), names=names)
    return tf.SmolVLMProcessor(pictures, tok, films, image_seq_len=4, chat_template=CHATML)


BY_RULE = (
    qwen_min_max_pixels, qwen_size, glm4v, llava_next, llava_next_small, llava_onevision_at_most_two, mistral3, internvl,
    idefics2, idefics2_whole, paligemma, smolvlm_split_off,
)  # fmt: skip


def aya_vision():
    """A rule that nobody wrote down here: the image token is repeated under another name."""
    marks = ("<|IMG_PATCH|>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "TILE", "TILE_GLOBAL")
    images = tf.GotOcr2ImageProcessor(size={"height": 56, "width": 56}, crop_to_patches=True)
    return tf.AyaVisionProcessor(
        images, _tokenizer(*marks), patch_size=14, img_size=56, downsample_factor=2, image_token="<image>",
        start_of_img_token="<|START_OF_IMG|>", end_of_img_token="<|END_OF_IMG|>", img_patch_token="<|IMG_PATCH|>",
        tile_token="TILE", tile_global_token="TILE_GLOBAL", chat_template=CHATML,
    )  # fmt: skip


def llama4():
    """Another one, whose placeholder is one token and what is repeated another."""
    places = ("image", "image_start", "image_end", "patch", "tile_x_separator", "tile_y_separator")
    images = tf.Llama4ImageProcessor(size={"height": 56, "width": 56})
    tok = _tokenizer(*(f"<|{place}|>" for place in places))
    return tf.Llama4Processor(images, tok, chat_template=CHATML.replace("<image>", "<|image|>"))


BY_LOOKING = (aya_vision, llama4)

"""Counted tokens against transformers' own processors: tiles, image tokens, and every token that stands for the picture."""

import json
import random
import subprocess
import sys

import pytest
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Idefics3ImageProcessor,
    Idefics3Processor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)
from transformers.image_utils import SizeDict
from transformers.models.smolvlm.image_processing_smolvlm import get_resize_output_image_size

from helpers.models import ARCHITECTURES, PROCESSORS, ImageTokens, count_image_tokens, tile_grid
from helpers.paths import ROOT

SIZES = [
    (850, 600), (422, 359), (308, 369), (800, 557), (500, 333), (1, 1), (2, 3), (17, 1500), (1500, 17), (3000, 40), (40, 3000),
    (385, 384), (384, 384), (1536, 1536), (1537, 1152), (1023, 767), (2048, 512), (386, 386), (5000, 5000), (333, 999),
]  # fmt: skip
SPLITTING = {
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": (SmolVLMImageProcessor, SmolVLMProcessor),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": (SmolVLMImageProcessor, SmolVLMProcessor),
    "HuggingFaceTB/SmolVLM-Instruct": (Idefics3ImageProcessor, Idefics3Processor),
}


def smollm_tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    """Split into words, single digits and marks as SmolLM2's tokenizer splits, with the few words that frame a picture."""
    merges = [("Ċ", "Ċ")]
    for word in ("row", "col", "global", "img"):
        merges += [(word[:at], word[at]) for at in range(1, len(word))]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *dict.fromkeys(a + b for a, b in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=special[0], eos_token=special[0])


def splitting_processor(name: str):
    images, processor = SPLITTING[name]
    settings = PROCESSORS[name]
    frame = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    if processor is SmolVLMProcessor:
        frame += ["<global-img>", *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))]
    given = {key: settings[key] for key in ("size", "max_image_size")}
    more = {"video_processor": SmolVLMVideoProcessor(**given)} if processor is SmolVLMProcessor else {}
    tokens = count_image_tokens(1, 1, name)
    return processor(
        image_processor=images(**given),
        tokenizer=smollm_tokenizer(frame),
        image_seq_len=tokens.image_tokens // tokens.tiles,
        **more,
    )


@pytest.mark.parametrize("name", SPLITTING)
def test_every_token_that_the_real_processor_puts_in(name):
    processor = splitting_processor(name)
    for width, height in SIZES[:12]:
        batch = processor(text=["<image>"], images=[[Image.new("RGB", (width, height))]], return_tensors="pt")
        ids, counted = batch["input_ids"][0], count_image_tokens(width, height, name)
        assert counted.tiles == batch["pixel_values"].shape[1], (width, height)
        assert counted.image_tokens == (ids == processor.image_token_id).sum(), (width, height)
        assert counted.total == len(ids), (width, height, processor.tokenizer.decode(ids[:12]))


@pytest.mark.parametrize("longest", [1536, 2048, 4096, 8192, 1000])
@pytest.mark.parametrize("tile", [384, 512, 364])
def test_tiles_of_a_thousand_sizes(longest, tile):
    """The real processor's steps on the meta device, where resizing is only a shape."""
    settings = {"size": {"longest_edge": longest}, "max_image_size": {"longest_edge": tile}, "image_seq_len": 1}

    class OnlyShapes(SmolVLMImageProcessor):
        def resize(self, image, size, resample=None, **_):
            if size.longest_edge:
                return image.new_empty((*image.shape[:-2], *get_resize_output_image_size(image, size.longest_edge)))
            return image.new_empty((*image.shape[:-2], size.height, size.width))

    processor = OnlyShapes()
    rng = random.Random(longest + tile)
    sizes = [(int(10 ** rng.uniform(0, 3.7)), int(10 ** rng.uniform(0, 3.7))) for _ in range(70)]
    for width, height in [*SIZES, *sizes]:
        image = processor.resize(torch.empty(1, 3, height, width, device="meta"), SizeDict(longest_edge=longest))
        image = processor.resize_for_vision_encoder(image, tile)
        frames, rows, columns = processor.split_images(image, {"longest_edge": tile})
        assert tile_grid(width, height, settings) == (rows[0], columns[0]), (width, height)
        assert count_image_tokens(width, height, settings).tiles == frames.shape[1], (width, height)


@pytest.mark.parametrize("name", ["Qwen/Qwen2-VL-7B-Instruct", "Qwen/Qwen2.5-VL-3B-Instruct"])
def test_qwens_tokens_between_its_markers(name):
    settings = PROCESSORS[name]
    given = {"size": {"shortest_edge": settings["min_pixels"], "longest_edge": settings["max_pixels"]}}
    special = ["<|endoftext|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = smollm_tokenizer(special)
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**given), tokenizer=tokenizer, video_processor=Qwen2VLVideoProcessor()
    )
    for width, height in [(850, 600), (422, 359), (1, 1), (13, 1500), (1500, 13), (27, 29), (43, 41), (800, 557)]:
        text = "<|vision_start|><|image_pad|><|vision_end|>"
        ids = processor(text=[text], images=[Image.new("RGB", (width, height))], return_tensors="pt")["input_ids"][0]
        counted = count_image_tokens(width, height, name)
        assert counted.total == len(ids), (width, height)
        assert counted.image_tokens == (ids == processor.image_token_id).sum(), (width, height)


def test_qwens_patches_of_a_thousand_sizes():
    rng = random.Random(0)
    for smallest, largest in [(3136, 12845056), (256 * 784, 1280 * 784), (784, 784)]:
        processor = Qwen2VLImageProcessor(size={"shortest_edge": smallest, "longest_edge": largest})
        new = {"patch_size": 14, "merge_size": 2, "size": {"shortest_edge": smallest, "longest_edge": largest}}
        old = {"patch_size": 14, "merge_size": 2, "min_pixels": smallest, "max_pixels": largest}
        for _ in range(350):
            width = int(10 ** rng.uniform(0, 3.8))
            height = max(1 + width // 200, int(width * 10 ** rng.uniform(-2.2, 2.2)))
            patches = processor.get_number_of_image_patches(height, width)
            assert count_image_tokens(width, height, old).image_tokens == patches // 4, (width, height, smallest, largest)
            assert count_image_tokens(width, height, new) == count_image_tokens(width, height, old)


def test_the_embedded_model_whole_and_in_five_tiles(processor):
    for width, height in SIZES[:8]:
        image = Image.new("RGB", (width, height))
        whole = processor(text=["<image>"], images=[[image]])["input_ids"][0]
        assert count_image_tokens(width, height, "embedded") == ImageTokens(1, 64, 3, len(whole))
    split = PROCESSORS["embedded"] | {"do_image_splitting": True, "size": {"longest_edge": 256}}
    for width, height in [(128, 128), (100, 90)]:
        ids = processor(
            text=["<image>"], images=[[Image.new("RGB", (width, height))]], do_image_splitting=True, size={"longest_edge": 256}
        )["input_ids"][0]
        assert count_image_tokens(width, height, split).total == len(ids)
        assert count_image_tokens(width, height, split).tiles == 5


def test_every_architecture_has_its_processor_with_the_published_settings(shared):
    assert set(ARCHITECTURES) <= set(PROCESSORS)
    published = json.loads((shared / "published" / "processors.json").read_text())
    del published["about"]
    for name, settings in published.items():
        for width, height in SIZES:
            ours, theirs = (count_image_tokens(width, height, processor) for processor in (name, settings))
            assert (ours.tiles, ours.image_tokens) == (theirs.tiles, theirs.image_tokens)


@pytest.mark.parametrize(
    ("name", "width", "height", "image_tokens", "tiles"),
    [
        ("SmolVLM2-2.2B", 422, 359, 1377, 17),
        ("SmolVLM2-2.2B", 308, 369, 1377, 17),
        ("SmolVLM-Instruct", 850, 600, 1053, 13),
        ("SmolVLM2-500M", 386, 386, 1088, 17),  # the picture that smollm issue 146 is about
        ("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", 800, 557, 832, 13),
    ],
)
def test_figures_that_others_have_seen(name, width, height, image_tokens, tiles):
    counted = count_image_tokens(width, height, name)
    assert (counted.image_tokens, counted.tiles) == (image_tokens, tiles)


def test_whether_max_length_cuts_the_picture():
    counted = count_image_tokens(850, 600, "SmolVLM2-2.2B")
    assert counted.total == counted.image_tokens + counted.marker_tokens
    assert counted.cut_by(1024) == counted.total - 1024 > 0  # TRL's default
    assert counted.cut_by(None) == counted.cut_by(counted.total) == 0
    assert counted.cut_by(counted.total, text_tokens=3) == 3
    assert counted.cut_by(10, text_tokens=50) == counted.total
    assert count_image_tokens(850, 600, "SmolVLM2-500M").cut_by(1024) == 0
    for wrong in ({"max_length": 0}, {"max_length": -1}, {"max_length": 5, "text_tokens": -1}):
        with pytest.raises(ValueError, match="at least"):
            counted.cut_by(**wrong)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5), (5, -3), (5.5, 5), ("5", 5), (None, 5)])
@pytest.mark.parametrize("name", ["SmolVLM2-2.2B", "Qwen2-VL-7B"])
def test_a_size_that_no_picture_has(size, name):
    with pytest.raises(ValueError, match=r"pixel"):
        count_image_tokens(*size, name)


@pytest.mark.parametrize(
    ("processor", "says"),
    [
        ("SmolVLM3", "There are: HuggingFaceTB/SmolVLM2-2.2B-Instruct"),
        ({}, "max_image_size with a longest_edge"),
        ({"max_image_size": {"longest_edge": 384}}, "size with a longest_edge"),
        ({"size": {"longest_edge": 1}, "max_image_size": {"longest_edge": 1}}, "no patch_size"),
        ({"merge_size": 2, "patch_size": 14}, "no min_pixels"),
    ],
)
def test_settings_that_do_not_serve_say_what_would(processor, says):
    with pytest.raises(ValueError, match=says):
        count_image_tokens(850, 600, processor)


def test_qwen_refuses_what_its_processor_refuses():
    with pytest.raises(ValueError, match="200 times"):
        count_image_tokens(201, 1, "Qwen2-VL-2B")


def test_counting_imports_no_torch():
    code = "import sys; from helpers.models import count_image_tokens; assert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0

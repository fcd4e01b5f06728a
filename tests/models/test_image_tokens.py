"""Counted tokens against transformers' own processors: tiles, image tokens, and every token that stands for the picture."""

import json
import random
import subprocess
import sys
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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

from helpers.models import (
    ARCHITECTURES,
    PROCESSORS,
    SHORT_ANSWER,
    ImageTokens,
    chat,
    count_image_tokens,
    fitted_size,
    image_token_id,
    settings_of,
    tile_grid,
)
from helpers.paths import ROOT
from tests.models.families import FAMILIES
from tests.models.processors import BY_LOOKING, BY_RULE

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
    assert set(ARCHITECTURES) - set(PROCESSORS) == {"HuggingFaceM4/Idefics3-8B-Llama3"}  # whose tokenizer would be needed
    published = json.loads((shared / "published" / "processors.json").read_text())
    del published["about"]
    for name, facts in published.items():
        for width, height in SIZES:
            ours, theirs = (count_image_tokens(width, height, processor) for processor in (name, facts))
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
        ({}, "settings of nothing; what settings are needed, by rule:.*max_image_size with a longest_edge"),
        ({"image_mean": [0.5]}, "no rule is known for settings of image_mean.*or give the processor itself"),
        ({"image_grid_pinpoints": [[56, 56]], "patch_size": 14}, "no size with a height"),
        ({"max_patches": 4, "size": {"height": 56, "width": 56}}, "no image_seq_length"),
        ({"do_image_splitting": True}, "no image_seq_len"),
        ({"image_seq_length": "256"}, "no image_seq_length"),
        (5, "is a int"),
        ({"max_image_size": {"longest_edge": 384}}, "size with a longest_edge"),
        ({"size": {"longest_edge": 1}, "max_image_size": {"longest_edge": 1}}, "no patch_size"),
        ({"merge_size": 2, "patch_size": 14}, "no min_pixels"),
    ],
)
def test_settings_that_do_not_serve_say_what_would(processor, says):
    with pytest.raises(ValueError, match=f"(?s){says}"):
        count_image_tokens(850, 600, processor)


def test_qwen_refuses_what_its_processor_refuses():
    with pytest.raises(ValueError, match="200 times"):
        count_image_tokens(201, 1, "Qwen2-VL-2B")


OF_FAMILIES = {make.__name__: make for make in FAMILIES}
OTHERS = {make.__name__: make for make in BY_RULE}
LENGTHS = st.integers(1, 700) | st.sampled_from([1, 27, 28, 29, 55, 56, 57, 84, 111, 112, 113, 336, 672])


def processed(processor, width: int, height: int) -> tuple[int, int]:
    """Image tokens and length of the lessons' prompt about a picture of that size, as the processor makes it."""
    text = str(processor.image_token)
    if processor.chat_template is not None:
        text = processor.apply_chat_template(chat("?", SHORT_ANSWER), add_generation_prompt=True)
    pictures = [[Image.new("RGB", (width, height))]]
    ids = processor(text=[text], images=pictures, return_tensors="pt", add_special_tokens=False)["input_ids"][0].tolist()
    return ids.count(image_token_id(processor)), len(ids)


@pytest.fixture(scope="module")
def made():
    """Of a family its processor, and the image token of its model's config."""

    @cache
    def make(family: str):
        if family in OTHERS:
            return OTHERS[family](), None
        model, processor = OF_FAMILIES[family]()
        return processor, model.config.image_token_id

    return make


@pytest.mark.parametrize("family", [*OF_FAMILIES, *OTHERS])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(width=LENGTHS, height=LENGTHS)
def test_every_familys_rule_is_what_its_processor_does(family, made, width, height):
    processor, token = made(family)
    assert token in (None, image_token_id(processor))
    try:
        looked = count_image_tokens(width, height, processor)
    except ValueError:  # too thin to be cut or shrunk
        assert min(width, height) < 8
        return
    assert count_image_tokens(width, height, settings_of(processor)) == looked
    assert looked.image_tokens == processed(processor, width, height)[0]


@pytest.mark.parametrize("family", [*OF_FAMILIES, *OTHERS])
def test_the_total_is_what_the_prompt_grows_by(family, made):
    """From one picture to another, in the lessons' prompt, where the picture stands before the question."""
    processor, _ = made(family)
    sizes = [(300, 40), (64, 64), (200, 150)]
    lengths = [processed(processor, *size)[1] for size in sizes]
    totals = [count_image_tokens(*size, processor).total for size in sizes]
    assert len({length - total for length, total in zip(lengths, totals, strict=True)}) == 1


def test_a_processor_of_no_known_rule_is_counted_by_looking():
    for make in BY_LOOKING:
        processor = make()
        for size in ((64, 64), (300, 40), (120, 90)):
            assert count_image_tokens(*size, processor).image_tokens == processed(processor, *size)[0] > 0
        with pytest.raises(ValueError, match="follows none of the rules"):
            settings_of(processor)


def test_a_rule_that_is_not_the_processors_is_found_out():
    processor = OTHERS["idefics2"]()
    processor.image_processor.merge_size, processor.image_processor.patch_size = 2, 14
    processor.image_processor.min_pixels = processor.image_processor.max_pixels = 100_000
    with pytest.raises(ValueError, match="Idefics2Processor follows none of the rules"):
        settings_of(processor)


def test_a_picture_that_the_processor_refuses_is_refused(made):
    with pytest.raises(ValueError, match="takes no picture of 201 x 1 pixels"):
        count_image_tokens(201, 1, made("qwen2_vl")[0])


def test_settings_nested_as_transformers_writes_them():
    flat = PROCESSORS["HuggingFaceTB/SmolVLM2-2.2B-Instruct"]
    nested = {"image_processor": flat, "image_seq_len": 81, "processor_class": "SmolVLMProcessor"}
    assert count_image_tokens(850, 600, nested) == count_image_tokens(850, 600, flat)


@pytest.mark.parametrize(("limit", "tokens"), [(50, 40), (200, 176), (16384, 630)])
def test_the_fitted_size_is_what_the_real_processor_resizes_to(limit, tokens):
    given = {"patch_size": 14, "merge_size": 2, "min_pixels": 4 * 784, "max_pixels": limit * 784}
    width, height = fitted_size(850, 600, given)
    _, rows, columns = Qwen2VLImageProcessor(min_pixels=4 * 784, max_pixels=limit * 784)(
        Image.new("RGB", (850, 600)), return_tensors="pt"
    )["image_grid_thw"][0].tolist()
    assert (columns * 14, rows * 14) == (width, height)
    assert count_image_tokens(850, 600, given).image_tokens == width * height // 784 == tokens


def test_the_fixed_numbers_are_those_of_the_published_configs(shared):
    configs = shared / "published" / "configs"
    gemma = json.loads((configs / "google__gemma-3-4b-it.json").read_text())
    assert count_image_tokens(850, 600, "gemma-3-4b").image_tokens == gemma["mm_tokens_per_image"]
    eyes = json.loads((configs / "llava-hf__llava-1.5-7b-hf.json").read_text())["vision_config"]
    assert count_image_tokens(850, 600, "llava-1.5-7b").image_tokens == (eyes["image_size"] // eyes["patch_size"]) ** 2
    latents = json.loads((configs / "HuggingFaceM4__idefics2-8b.json").read_text())["perceiver_config"]["resampler_n_latents"]
    assert count_image_tokens(850, 600, "idefics2-8b") == ImageTokens(5, 5 * latents, 6, 5 * latents + 6)


def test_counting_imports_no_torch():
    code = "import sys; from helpers.models import count_image_tokens; assert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0

"""Ask one question about one picture, with or without what a lesson trained."""

import json

from PIL import Image

from helpers.data import to_rgb
from helpers.evaluation import generate_answers
from helpers.models import load_model, load_processor
from helpers.paths import EMBEDDED_MODEL, resolve


def ask(image: str, question: str, model_name: str = "embedded", adapter: str | None = None) -> str:
    """The greedy answer. With ``adapter`` the model is the one that it was trained on, whatever ``model_name`` says.

    FileNotFoundError names what is missing: the picture, or the adapter.
    """
    picture = resolve(image)
    if not picture.is_file():
        raise FileNotFoundError(f"there is no picture {picture}")
    if adapter is None:
        model, processor = load_model(model_name), load_processor(model_name)
    else:
        from peft import PeftModel

        folder = resolve(adapter)
        if not (folder / "adapter_config.json").exists():
            raise FileNotFoundError(f"{folder} holds no adapter; lesson 04 leaves one in runs/<profile>/04_sft_chartqa/adapter")
        base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
        # The embedded model may lie elsewhere than where the adapter was trained.
        base = "embedded" if base.replace("\\", "/").endswith(f"/{EMBEDDED_MODEL.name}") else base
        model = PeftModel.from_pretrained(load_model(base), str(folder))
        processor = load_processor(base)
    with Image.open(picture) as opened:
        row = {"image": to_rgb(opened), "query": question}
    return generate_answers(model, processor, [row])[0]

"""Ask one question about one picture, with or without what a lesson trained."""

from helpers.course.artefacts import base_of
from helpers.data import open_picture, text_problem
from helpers.evaluation import generate_answers
from helpers.models import choose_precision, detect, load_model, load_processor
from helpers.paths import resolve


def ask(image: str, question: str, model_name: str = "embedded", adapter: str | None = None) -> str:
    """The greedy answer. With ``adapter`` the model is the one that it was trained on, whatever ``model_name`` says.

    FileNotFoundError names what is missing: the picture, or the adapter; PictureError says what it is instead of a picture;
    ValueError what is wrong with the question, or with the model.
    """
    if problem := text_problem("question", question):
        raise ValueError(problem)
    row = {"image": open_picture(resolve(image) if "://" not in image else image), "query": question}
    if adapter is None:
        model, processor = _load(model_name), load_processor(model_name)
    else:
        from peft import PeftModel

        folder = resolve(adapter)
        base = base_of(folder)
        model, processor = PeftModel.from_pretrained(_load(base), str(folder)), load_processor(base)
    return generate_answers(model, processor, [row])[0]


def _load(name: str):
    hardware = detect("cpu" if name == "embedded" else "auto")
    return load_model(
        name, choose_precision("float32" if hardware.device == "cpu" else "auto", hardware)[0], device=hardware.device
    )

"""Lesson 00's prompt as an exercise: what a learner's prompt does otherwise than the one that a model is trained with."""

from collections.abc import Callable

from helpers.exercises.compare import apart
from helpers.exercises.learner import call

_END = "<end_of_utterance>"
_ASKED = (
    ("What is the value for Chile?", "Answer with a single word or number."),
    ("Which name is last?", "Answer in French."),
)


def prompt_problem(build_prompt: Callable) -> str | None:
    from helpers.models import chat, load_processor  # here: they need the libraries of a model, which take seconds to import

    template = load_processor("embedded").apply_chat_template
    for question, system in _ASKED:
        prompt = call(build_prompt, (question, system), "build_prompt")
        if not isinstance(prompt, str):
            return f"build_prompt returned a {type(prompt).__name__}; it is the text that the template makes, not ids"
        if problem := _deviation(prompt, chat(question, system), template):
            return problem
    return None


def _deviation(prompt: str, messages: list[dict], template: Callable) -> str | None:
    """The first thing, in the order in which one would mend them, that differs from the prompt of ``messages``."""
    right = template(messages, add_generation_prompt=True)
    if prompt == right:
        return None
    problem = _missing(prompt, messages) or _out_of_place(prompt, messages, template)
    if problem:
        return problem
    if not prompt.endswith(right.removeprefix(template(messages))):
        return "the prompt ends after the question, so that the model goes on with the user's turn: add_generation_prompt"
    return "the prompt is not the one of training:\n" + apart(prompt, right)


def _missing(prompt: str, messages: list[dict]) -> str | None:
    for message in messages:
        said, role = message["content"][-1]["text"], message["role"]
        if said in prompt:
            continue
        if f"{role.capitalize()}: {_END}" in prompt:  # a turn without words: what the template makes of a plain string
            return (
                f"the {role} turn is empty: content must be a list of parts. This template passes over a plain string, and "
                "gives no error"
            )
        if role == "system":
            return "the instruction is not in the prompt: it is a turn of its own, with the role system, before the user's"
        return "the question is not in the prompt: it is a text in the user's content, after the picture"
    if prompt.count("<image>") == 1:
        return None
    return (
        f"the prompt has {prompt.count('<image>')} placeholders for one picture: the user's content needs one "
        '{"type": "image"}, before the text'
    )


def _out_of_place(prompt: str, messages: list[dict], template: Callable) -> str | None:
    """For a prompt that has instruction, picture and question."""
    system, question = (message["content"][-1]["text"] for message in messages)
    if prompt.index(system) > prompt.index(question):
        return "the turns are out of order: first the system's instruction, then the user's picture and question"
    turns = prompt.split(_END)
    of_system, of_picture, of_question = (
        next(at for at, turn in enumerate(turns) if part in turn) for part in (system, "<image>", question)
    )
    if of_system == of_question:
        return "the instruction stands in the user's turn: it is a turn of its own, before it, with the role system"
    if of_picture == of_system:
        return "the picture stands in the instruction's turn: it belongs in the user's, before the question"
    if not prompt.startswith(template(messages[:1])):
        return "the instruction has a turn of its own, but not as in training: its role is system, and its content one text"
    if of_picture != of_question:
        return "picture and question stand in two turns: they are two parts of one content"
    if prompt.index("<image>") > prompt.index(question):
        return "the picture stands behind the question: in training it comes before, as the first part of the content"
    return None

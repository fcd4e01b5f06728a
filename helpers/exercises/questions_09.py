"""What the exercises of lesson 09 check: a queue, a request, a server's start, and a service that is worse than its model."""

import base64

from helpers.exercises.checks import Case, Diagnosis, Function, Number, Value
from helpers.exercises.exercise import Question
from helpers.exercises.runs import read_run
from helpers.exercises.start_problem import start_problem

CLIENTS, SECONDS = 8, 0.05

STARTED = {
    "command": ["transformers", "serve", "--host", "0.0.0.0", "--port", "8000", "--enable-cors"],
    "environment": {},
}


def as_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def messages(question, picture, system):
    return _messages(system, _picture(as_url(picture)), _text(question))


def _messages(system, *parts):
    return [{"role": "system", "content": system}, {"role": "user", "content": list(parts)}]


def _picture(url):
    return {"type": "image_url", "image_url": {"url": url}}


def _text(question):
    return {"type": "text", "text": question}


def _in_parts(asked):
    """What ``transformers serve`` makes of a request: a content that is a text is a list of one part."""
    if not isinstance(asked, list | tuple):
        return asked
    return [one | {"content": [_text(one["content"])]} if _is_plain(one) else one for one in asked]


def _is_plain(message) -> bool:
    return isinstance(message, dict) and isinstance(message.get("content"), str)


def _equal(column: str) -> float:
    log = read_run("turnstone").log
    return float((log["service"] == log[column]).mean())


QUESTIONS = {
    "q1": Question(
        Number(
            "seconds",
            lambda: SECONDS * (CLIENTS + 1) / 2,
            "seconds",
            "Everybody waits for those before: on the mean half the queue and oneself. The answers a second stay the same.",
            mistakes=lambda: {
                SECONDS: "so it would be if the eight were answered at the same time; this server takes one after the other",
                SECONDS * CLIENTS: "so long waits the last of them; the first is done long before",
                SECONDS * CLIENTS / 2: "nearly: the first one doesn't wait 0 seconds, its own answer takes time too",
                SECONDS / CLIENTS: "more clients don't make a server faster: it takes one after the other",
            },
        ),
        ("When does the first have its answer, when the second, when the last?", "The mean of 0.05, 0.10, ..., 0.40."),
    ),
    "q2": Question(
        Function(
            "messages",
            messages,
            [
                Case(("How many bars?", b"\x89PNG\r\n", "Answer with a single word or number.")),
                Case(("Is it so?", b"\x00\xff\xfe" * 20, "Answer with one full sentence.")),
            ],
            "Whatever is another way round, or missing, is another prompt than the one that was trained, and no error says so.",
            mistakes=(
                (
                    lambda q, p, s: _messages(s, _text(q), _picture(as_url(p))),
                    "the question stands before the picture; the model was trained with the picture first",
                ),
                (
                    lambda q, p, s: _messages(s, _picture(as_url(p)), _text(q))[1:],
                    "the instruction is missing: the model was trained with a system message",
                ),
                (
                    lambda q, p, s: _messages(s, _picture(base64.b64encode(p).decode()), _text(q)),
                    "base64 alone looks like a path: data:image/png;base64, goes before it",
                ),
                (
                    lambda q, p, s: _messages(s, _picture(f"data:image/png;base64,{base64.b64encode(p)}"), _text(q)),
                    "that is the text of a bytes object, with b and quotes around it: .decode() it first",
                ),
                (
                    lambda q, p, s: _messages(s, {"type": "image_url", "image_url": as_url(p)}, _text(q)),
                    'image_url holds a dict: {"url": ...}',
                ),
            ),
            form=_in_parts,
        ),
        (
            "Two messages. The user's has two parts, in the order in which the model was trained.",
            'f"data:image/png;base64,{base64.b64encode(picture).decode()}" is the url; image_url comes before text.',
        ),
    ),
    "q3": Question(
        Value(
            "started",
            start_problem,
            "Pinned, offline, on this machine alone. What is still open then, /load_model, /reset and paths, needs a gateway.",
            untouched=STARTED,
        ),
        (
            "Who can reach it? What will it load? From where?",
            "merged after serve, --host 127.0.0.1, no --enable-cors, and HF_HUB_OFFLINE=1 in the environment.",
        ),
    ),
    "q4": Question(
        Diagnosis(
            "turnstone",
            "the base model is served",
            {
                "nothing is wrong": "the service is right far less often than the notebook, on the same questions",
                "another prompt than in training": "the request is as in training: the instruction, the picture, the question",
                "learning rate too low": "the notebook's answers are good: the training is not what is wrong",
                "learning rate too high": "the notebook's answers are good: the training is not what is wrong",
                "contaminated test set": "then the notebook's figure would be wrong, and the service's the same",
            },
            Number(
                "turnstone_evidence",
                lambda: _equal("base"),
                "a share of the answers, 0 to 1",
                "",
                mistakes=lambda: {
                    _equal("notebook"): "that is the share that equals the notebook's; compare with the base model's answers",
                    read_run("turnstone").facts["accuracy_service"]: "that is how often it is right, not whom it equals",
                },
            ),
            "Every answer was a 200. Compare a service with the model by its answers, and with the base model too.",
        ),
        (
            "Three columns of answers. Which two are the same?",
            'The mean of run.log["service"] == run.log["base"].',
        ),
    ),
}

"""Answers that learners may give to the exercises of lesson 09, and what each check must say to them.

``WRONG``: by question, the learner's names, and words that the message must contain. ``ALSO_RIGHT``: right answers that are not
the solution's.
"""

import base64

from helpers.exercises import questions_09, read_run
from tests.exercises.answers import diagnosis, returns

GOOD = {"command": ["transformers", "serve", "merged", "--host", "127.0.0.1", "--port", "8000"]}
GOOD["environment"] = {"HF_HUB_OFFLINE": "1"}


def started(**changes) -> dict:
    return {"started": GOOD | changes}


def asked(parts: str, system: str = '{"role": "system", "content": s}, ') -> dict:
    body = f'messages(q, p, s): return [{system}{{"role": "user", "content": [{parts}]}}]'
    return returns(body, base64=base64)


PICTURE = '{"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(p).decode()}}'
TEXT = '{"type": "text", "text": q}'

WRONG: dict[str, list[tuple[dict, str]]] = {
    "q1": [
        ({"seconds": 0.05}, "one after the other"),
        ({"seconds": 0.4}, "the last of them"),
        ({"seconds": 0.2}, "its own answer takes time"),
        ({"seconds": 225}, "factor of 1,000"),
    ],
    "q2": [
        (asked(f"{TEXT}, {PICTURE}"), "the picture first"),
        (asked(f"{PICTURE}, {TEXT}", system=""), "the instruction is missing"),
        (asked(f"{PICTURE}, {TEXT}".replace('"data:image/png;base64," + ', "")), "looks like a path"),
        (asked(f"{PICTURE}, {TEXT}".replace("base64.b64encode(p).decode()", "str(base64.b64encode(p))")), "b and quotes"),
        (asked(f"{PICTURE}, {TEXT}".replace('{"url": ', "(").replace("decode()}}", "decode())}")), "image_url holds a dict"),
    ],
    "q3": [
        (started(command=[*GOOD["command"], "--enable-cors"]), "any page in a visitor's browser"),
        (started(command=[word.replace("127.0.0.1", "0.0.0.0") for word in GOOD["command"]]), "lets other machines in"),
        (started(command=[word for word in GOOD["command"] if word != "merged"]), "pin it to merged"),
        (started(environment={}), "HF_HUB_OFFLINE"),
    ],
    "q4": [
        (diagnosis("turnstone", "nothing is wrong", 1.0), "far less often"),
        (diagnosis("turnstone", "another prompt than in training", 1.0), "as in training"),
        (diagnosis("turnstone", "learning rate too low", 1.0), "the training is not what is wrong"),
        (diagnosis("turnstone", "the base model is served", questions_09._equal("notebook")), "equals the notebook's"),
        (
            diagnosis("turnstone", "the base model is served", read_run("turnstone").facts["accuracy_service"]),
            "not whom it equals",
        ),
    ],
}
ALSO_RIGHT: dict[str, list[dict]] = {
    "q1": [{"seconds": 0.05 * sum(range(1, 9)) / 8}],
    "q3": [started(command=["transformers", "serve", "merged", "--port", "8000"])],
}

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


PARTS = '{"role": "system", "content": [{"type": "text", "text": s}]}, '
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
        (asked(f"{TEXT}, {PICTURE}", PARTS.replace(": s}", ": s.upper()}")), "not right at [0]['content'][0]['text'] from"),
        (
            asked(f"{PICTURE.replace('png', 'jpeg')}, {TEXT}"),
            "not right at [1]['content'][0]['image_url']['url'] from character 11 on: there is 'jpeg;base64,",
        ),
        (asked(f"{PICTURE}, {TEXT}".replace('"data:image/png;base64," + ', "")), "looks like a path"),
        (asked(f"{PICTURE}, {TEXT}".replace("base64.b64encode(p).decode()", "str(base64.b64encode(p))")), "b and quotes"),
        (asked(f"{PICTURE}, {TEXT}".replace('{"url": ', "(").replace("decode()}}", "decode())}")), "image_url holds a dict"),
    ],
    "q3": [
        (started(command=[*GOOD["command"], "--enable-cors"]), "any page in a visitor's browser"),
        (started(command=[word.replace("127.0.0.1", "0.0.0.0") for word in GOOD["command"]]), "lets other machines in"),
        (started(command=[word for word in GOOD["command"] if word != "merged"]), "pin it to merged"),
        (started(environment={}), "HF_HUB_OFFLINE"),
        (started(environment={"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}), "'0' doesn't keep it off"),
        (started(environment={"HF_HUB_OFFLINE": 1}), "a dict of texts"),
        (started(command=[*GOOD["command"][:3], "--host=10.0.0.7"]), "10.0.0.7 lets other machines in"),
        (started(command=[*GOOD["command"][:3], "--host"]), "'--host' requires an argument"),
        (started(command=[*GOOD["command"], "--offline"]), "No such option"),
        (started(command=" ".join(GOOD["command"])), "command is one text"),
        (started(command=["transformers", "serve", "base"]), "it is pinned to base"),
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
    "q2": [
        asked(f"{PICTURE}, {TEXT}", PARTS),
        asked(f"{PICTURE}, {TEXT}"),
    ],
    "q3": [
        started(command=["transformers", "serve", "merged", "--port", "8000"]),
        started(command=["transformers", "serve", "--host", "127.0.0.1", "--port", "8000", "merged"]),
        started(command=["transformers", "serve", "./merged", "--host=localhost"]),
        started(command=["transformers", "serve", "merged/", "--no-enable-cors", "--host", "::1"]),
        started(environment={"TRANSFORMERS_OFFLINE": "1"}),
        started(environment={"HF_HUB_OFFLINE": "YES"}),
    ],
}

"""What one question to a server came to: an answer, or why there is none and whose fault that is."""

import re
from enum import Enum

NO_COMPLETION = "the reply is no chat completion: the address is not an OpenAI-compatible one"
_KEPT_BACK = ("content_filter", "tool_calls", "function_call")  # why a reply has no text, where that is no empty answer
_NOBODY = ("ConnectError", "ConnectTimeout")  # of the client's HTTP library, whose name changes with openai's releases
_BUSY = (408, 409, 429)  # and 5xx: what the client asks again


class Fault(Enum):
    """Whose fault a missing answer is; whether the next row is asked depends on it."""

    PICTURE = "the row's own: nothing was sent"
    REQUEST = "the row's own, if another one was answered; before that, it may be the address or the model"
    SERVER = "the server's: the next row may go well, many in a row will not"
    ACCESS = "nobody is there, no right to ask, no such model: no row can go well"


class NoAnswer(ValueError):
    """A reply that holds no answer; the message says what it holds."""


def answer_in(reply, max_new_tokens: int) -> str:
    """The text of a chat completion, stripped; it may be empty, if the model says that it ended there. NoAnswer otherwise.

    A thought that ends comes with the answer, as it does where the model is asked in the notebook; one that doesn't is none.
    """
    if error := getattr(reply, "error", None):  # some gateways send it with status 200
        raise NoAnswer(f"the server replied with an error: {words_of(error)}")
    try:
        choice = reply.choices[0]
        text, refusal = choice.message.content, getattr(choice.message, "refusal", None)
    except (AttributeError, IndexError, TypeError) as error:
        raise NoAnswer(NO_COMPLETION) from error
    if isinstance(text, list):
        texts = [part["text"] for part in text if isinstance(part, dict) and isinstance(part.get("text"), str)]
        text = "".join(texts) if texts else None
    if not isinstance(text, str | None):
        raise NoAnswer(NO_COMPLETION)
    if text is None and refusal:
        raise NoAnswer(f"the model refused: {refusal}")
    unfinished = re.match(r"\s*<think>(?!.*</think>\s*\S)", text or "", re.DOTALL)
    if choice.finish_reason == "length" and (not text or unfinished):
        raise NoAnswer(f"no answer within max_new_tokens={max_new_tokens}: a model that thinks first needs more")
    if text is None or unfinished or (not text.strip() and choice.finish_reason in _KEPT_BACK):
        raise NoAnswer(f"the reply holds no answer (finish_reason {choice.finish_reason!r})")
    return text.strip()


def fault_of(error) -> Fault:
    """Whose fault an ``openai.OpenAIError`` is."""
    import openai

    if isinstance(error, openai.APIConnectionError):
        return Fault.ACCESS if type(error.__cause__).__name__ in _NOBODY else Fault.SERVER
    status = getattr(error, "status_code", None)
    if status in (401, 402, 403, 404):
        return Fault.ACCESS
    return Fault.SERVER if status is not None and (status in _BUSY or status >= 500) else Fault.REQUEST


def words_of(body) -> str:
    """What the server says, of the ``error`` in a reply's body."""
    return str((body.get("message") or body.get("detail") or body) if isinstance(body, dict) else body)

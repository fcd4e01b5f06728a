"""A model behind an address, in place of a loaded one: any server that speaks OpenAI's chat completions.

vLLM, llama.cpp, `transformers serve`, Ollama or a hosted one: the same rows, instructions and metrics judge them all.
"""

import base64
import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tqdm.auto import tqdm

from helpers.data import open_picture
from helpers.models import SHORT_ANSWER

IN_A_ROW = 3  # so many refusals, one after the other, are no longer about single rows
_LOCAL = ("localhost", "127.0.0.1", "::1")


class ServedError(RuntimeError):
    """Some questions got no answer; the message says in one line which, why, and how to go on.

    ``answers``: what was answered, in the rows' order, None where nothing came. ``rows``: by row, counted from 0, what its
    request came to. ``gave_up``: the other rows without an answer were not asked any more.
    """

    def __init__(self, message: str, answers: list[str | None], rows: dict[int, str], gave_up: bool):
        super().__init__(message)
        self.answers, self.rows, self.gave_up = answers, rows, gave_up


class Served:
    """A model that answers at ``url``, to be given to :func:`generate_answers` and :func:`evaluate_folder` as a model is.

    ``url``: with or without ``/v1``. ``model``: as the server calls it; None leaves it to a server that has only one.
    ``api_key_env``: the *name* of the variable that holds the key; local servers need none. ``system``: the instruction,
    unless a call names another than the course's own; None sends none. ``timeout``: seconds for one answer. ``retries``: how
    often the client asks again, with growing pauses, after a broken connection, a time-out, or a status 408, 409, 429 or 5xx.
    ``at_once``: requests that are under way at the same time.

    What was answered before an error is kept: the same call again asks only for the rest.
    """

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        system: str | None = SHORT_ANSWER,
        timeout: float = 60,
        retries: int = 2,
        at_once: int = 1,
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address: it is http://host:port or https://host/v1")
        self.url = url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")
        self.model, self.api_key_env, self.system = model, api_key_env, system
        self.timeout, self.retries, self.at_once = timeout, retries, at_once
        self._kept: dict[str, str] = {}  # answers of a call that was broken off, by their request

    def __repr__(self) -> str:
        return f"Served({self.url!r}, {self.model!r})"

    def answers(self, examples: Sequence[dict], *, system: str | None = SHORT_ANSWER, max_new_tokens: int = 16) -> list[str]:
        """Greedy answers to rows of :func:`helpers.data.load_chartqa`, stripped, in the rows' order.

        ServedError where one is missing. A server that can't be reached or doesn't answer in time is given up at once, one
        that refuses ``IN_A_ROW`` rows one after the other too; a single refused row doesn't hold up the others.
        """
        system = self.system if system == SHORT_ANSWER else system
        answers: list[str | None] = [None] * len(examples)
        failed: dict[int, str] = {}
        gave_up = False
        bar = tqdm(total=len(examples), desc="asking", unit="question", delay=5)
        with bar, self._client() as client, ThreadPoolExecutor(self.at_once) as pool:
            for start in range(0, len(examples), self.at_once):
                rows = range(start, min(start + self.at_once, len(examples)))
                tried = pool.map(lambda at: self._try(client, examples, at, system, max_new_tokens), rows)
                for at, (answer, problem, over) in zip(rows, tried, strict=True):
                    answers[at] = answer
                    if problem:
                        failed[at] = problem
                        gave_up |= over or all(row in failed for row in range(at - IN_A_ROW + 1, at + 1))
                bar.update(len(rows))
                if gave_up:
                    break
        if failed:
            raise ServedError(self._in_one_line(answers, failed, gave_up), answers, failed, gave_up)
        self._kept.clear()
        return answers

    def _try(self, client, examples, at: int, system: str | None, max_new_tokens: int) -> tuple[str | None, str | None, bool]:
        """The answer, or what went wrong instead and whether it would go wrong for all the others too."""
        import openai

        try:
            messages = _messages(examples[at], system)  # a data set opens its picture here
        except (OSError, ValueError) as error:  # PictureError is one
            return None, f"the picture: {_shortly(error)}", False
        key = hashlib.sha256(repr((messages, max_new_tokens)).encode()).hexdigest()
        if key in self._kept:
            return self._kept[key], None, False
        try:
            reply = client.chat.completions.create(
                model=self.model, messages=messages, temperature=0, max_tokens=max_new_tokens
            )
            self._kept[key] = (reply.choices[0].message.content or "").strip()
        except openai.APITimeoutError:
            return None, f"no answer within {self.timeout:g} s", True
        except openai.APIConnectionError as error:
            return (
                None,
                f"nothing answers ({_shortly(error.__cause__ or error)}), so start the server or mend its address",
                True,
            )
        except openai.APIStatusError as error:
            return None, self._refusal(error), error.status_code in (401, 403)
        except (openai.OpenAIError, AttributeError, IndexError, TypeError, ValueError):
            return None, "the reply is no chat completion: the address is not an OpenAI-compatible one", False
        return self._kept[key], None, False

    def _client(self):
        try:
            import openai
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("asking a server needs the extra: pip install 'transformers[serving]'") from error
        # A proxy is for other machines: a request to this one would be sent there, key and all.
        direct = openai.DefaultHttpxClient(trust_env=False) if urlsplit(self.url).hostname in _LOCAL else None
        return openai.OpenAI(
            base_url=self.url, api_key=self._key() or "none", timeout=self.timeout, max_retries=self.retries, http_client=direct
        )

    def _key(self) -> str | None:
        return os.environ.get(self.api_key_env)

    def _refusal(self, error) -> str:
        if error.status_code in (401, 403):
            what = "was refused" if self._key() else "is not set"
            return f"HTTP {error.status_code}: the key in ${self.api_key_env} {what}"
        said = error.body.get("message") or error.body.get("detail") if isinstance(error.body, dict) else error.body
        said = str(said or error.response.text)
        if self._key():
            said = said.replace(self._key(), "***")
        return f"HTTP {error.status_code}: {_shortly(said)}"

    def _in_one_line(self, answers: list[str | None], failed: dict[int, str], gave_up: bool) -> str:
        at, why = next(iter(failed.items()))
        others = [row for row in failed if row != at]
        more = f" (and rows {', '.join(map(str, others[:5]))}{', ...' * (len(others) > 5)})" if others else ""
        kept = sum(answer is not None for answer in answers)
        end = "given up there; " if gave_up else ""
        done = f"{end}{kept} of {len(answers)} were answered and are kept"
        return f"{self.url}: row {at}{more}: {why.rstrip('.')}; {done}: the same call again asks only for the rest"


def _messages(row: dict, system: str | None) -> list[dict]:
    """As the model was trained: the instruction, then the picture before the question. PNG, so that no pixel changes."""
    file = io.BytesIO()
    open_picture(row["image"]).save(file, format="PNG")
    picture = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": row["query"]}]
    return [{"role": "system", "content": system}] * bool(system) + [{"role": "user", "content": parts}]


def _shortly(said, longest: int = 200) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= longest else text[:longest] + "..."

"""A model behind an address, in place of a loaded one: any server that speaks OpenAI's chat completions.

vLLM, llama.cpp, `transformers serve`, Ollama or a hosted one: the same rows, instructions and metrics judge them all.
"""

import base64
import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

from tqdm.auto import tqdm

from helpers.data import open_picture
from helpers.evaluation.replies import NO_COMPLETION, Fault, NoAnswer, answer_in, fault_of, words_of
from helpers.models import SHORT_ANSWER

_FIRST_IN_A_ROW = 3  # so many without an answer, before there was any: the address or the model is wrong
_LATER_IN_A_ROW = 5  # so many that the server is to blame for, afterwards: it won't come back by itself
_LOCAL = ("localhost", "127.0.0.1", "::1")
_Tried = tuple[str | None, str | None, Fault | None]  # the answer, or what went wrong and whose fault it is


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

    ``url``: with or without ``/v1`` or ``/chat/completions``; a ``user:password@`` in it is sent and never shown. ``model``:
    as the server calls it; None leaves it to a server that has only one. ``api_key_env``: the *name* of the variable that
    holds the key; local servers need none. ``system``: the instruction, unless a call names another than the course's own;
    None sends none. ``timeout``: seconds of silence, not of the whole answer: a server that sends a byte now and then may
    take longer. ``retries``: how often the client asks again, with growing pauses, after a broken connection, a time-out, or
    a status 408, 409, 429 or 5xx. ``at_once``: requests that are under way at the same time. ValueError for what is no
    address.

    What was answered before an error is kept in this object: the same call again asks only for the rest, and last for the
    rows that failed.
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
        self.url, self._login = _address(url)
        self.model, self.api_key_env, self.system = model, api_key_env, system
        self.timeout, self.retries, self.at_once = timeout, retries, at_once
        self._kept: dict[str, str] = {}  # answers of a call that was broken off, by their request
        self._failed: set[int] = set()  # the rows that it failed at

    def __repr__(self) -> str:
        return f"Served({self.url!r}, {self.model!r})"

    def answers(self, examples: Sequence[dict], *, system: str | None = SHORT_ANSWER, max_new_tokens: int = 16) -> list[str]:
        """Greedy answers to rows of :func:`helpers.data.load_chartqa`, stripped, in the rows' order.

        ServedError where one is missing. A row that fails doesn't hold up the others. The server is given up at once where
        nobody is there, the key is refused or the model unknown (401 to 404); after three rows without an answer before there
        was any; and later after five time-outs, broken connections, 408, 409, 429 or 5xx. A broken picture counts for neither.
        """
        system = self.system if system == SHORT_ANSWER else system
        answers: list[str | None] = [None] * len(examples)
        failed: dict[int, str] = {}
        order = sorted(range(len(examples)), key=self._failed.__contains__)  # what failed the last time comes last
        in_a_row, against = 0, None  # rows that speak against the server, and the last of them
        bar = tqdm(total=len(examples), desc="asking", unit="question", delay=5)
        with bar, self._client() as client, ThreadPoolExecutor(self.at_once) as pool:
            for start in range(0, len(order), self.at_once):
                rows = order[start : start + self.at_once]
                tried = list(pool.map(lambda at: self._try(client, examples, at, system, max_new_tokens), rows))
                for at, (answer, problem, fault) in zip(rows, tried, strict=True):
                    answers[at] = answer
                    if answer is not None:
                        in_a_row = 0
                        continue
                    failed[at] = problem
                    if fault in (Fault.SERVER, Fault.ACCESS) or (fault is Fault.REQUEST and not self._kept):
                        in_a_row, against = in_a_row + 1, at
                bar.update(len(rows))
                ends = any(fault is Fault.ACCESS for _, _, fault in tried)
                if ends or in_a_row >= (_LATER_IN_A_ROW if self._kept else _FIRST_IN_A_ROW):
                    break
        if failed:
            missing = [at for at, answer in enumerate(answers) if answer is None]
            gave_up = len(missing) > len(failed)
            self._failed = {at for at in missing if at in failed or at in self._failed}
            line = self._in_one_line(answers, failed, against if gave_up else None)
            raise ServedError(line, answers, failed, gave_up)
        self._kept.clear()
        self._failed.clear()
        return answers

    def _try(self, client, examples, at: int, system: str | None, max_new_tokens: int) -> _Tried:
        """The answer, or what went wrong instead and whose fault it is."""
        import openai

        try:
            messages = _messages(examples[at], system)  # a data set opens its picture here
        except (OSError, ValueError) as error:  # PictureError is one
            return None, f"the picture: {_shortly(error)}", Fault.PICTURE
        key = hashlib.sha256(repr((messages, max_new_tokens)).encode()).hexdigest()
        if key in self._kept:
            return self._kept[key], None, None
        secret = self._key() or ""
        if not (secret.isascii() and secret.isprintable()):
            return None, f"the key in ${self.api_key_env} has a character that no header can carry", Fault.ACCESS
        model = openai.omit if self.model is None else self.model
        try:
            reply = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=max_new_tokens)
            self._kept[key] = answer_in(reply, max_new_tokens)
        except openai.OpenAIError as error:
            return None, self._problem(error), fault_of(error)
        except NoAnswer as error:
            return None, self._masked(error), Fault.REQUEST
        except ValueError:  # a body that says it is JSON and isn't
            return None, NO_COMPLETION, Fault.REQUEST
        return self._kept[key], None, None

    def _client(self):
        try:
            import openai
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("asking a server needs the extra: pip install 'transformers[serving]'") from error
        # A proxy is for other machines: a request to this one would be sent there, key and all.
        http = openai.DefaultHttpxClient(trust_env=urlsplit(self.url).hostname not in _LOCAL, auth=self._login)
        key = self._key() or "none"
        return openai.OpenAI(base_url=self.url, api_key=key, timeout=self.timeout, max_retries=self.retries, http_client=http)

    def _key(self) -> str | None:
        return os.environ.get(self.api_key_env, "").strip() or None  # a file that it was read from ends its line

    def _problem(self, error) -> str:
        """What an error of the client came to, in a few words."""
        import openai

        if isinstance(error, openai.APIConnectionError):
            cause = self._masked(error.__cause__ or error)
            if fault_of(error) is Fault.ACCESS:
                return f"nothing answers ({cause}), so start the server or mend its address"
            late = isinstance(error, openai.APITimeoutError)
            return f"no answer within {self.timeout:g} s" if late else f"the connection broke ({cause})"
        if not isinstance(error, openai.APIStatusError):
            return NO_COMPLETION
        if error.status_code in (401, 403):
            key = f"the key in ${self.api_key_env} {'was refused' if self._key() else 'is not set'}"
            return f"HTTP {error.status_code}: {'the login in the address was refused' if self._login else key}"
        hint = ": the address or the model's name is wrong" * (error.status_code == 404)
        return f"HTTP {error.status_code}: {self._masked(words_of(error.body or error.response.text))}{hint}"

    def _masked(self, said) -> str:
        """Without key and password, and short."""
        said = str(said)
        for secret in (self._key(), self._login and self._login[1]):
            if secret:
                said = said.replace(secret, "***")
        return _shortly(said)

    def _in_one_line(self, answers: list[str | None], failed: dict[int, str], ended_at: int | None) -> str:
        """Why it ended at that row, or else why the first row failed; with the rows that failed alike."""
        why = failed[min(failed) if ended_at is None else ended_at]
        at, *alike = sorted(row for row, said in failed.items() if said == why)
        more = f" (and rows {', '.join(map(str, alike[:5]))}{', ...' * (len(alike) > 5)})" if alike else ""
        others = len(failed) - 1 - len(alike)
        rest = f"{others} more failed otherwise; " if others else ""
        end = "" if ended_at is None else "given up; "
        kept = f"{sum(answer is not None for answer in answers)} of {len(answers)} were answered and are kept"
        again = "the same call with the same Served asks only for the rest"
        return f"{self.url}: row {at}{more}: {why.rstrip('.')}; {rest}{end}{kept}: {again}"


def _address(url: str) -> tuple[str, tuple[str, str] | None]:
    """What requests are sent to, and the login that stood in it. ValueError, without the login, for what is no address."""
    shown = url.strip().rpartition("@")[2].partition("?")[0]
    try:
        parts = urlsplit(url.strip())
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and len(url.split()) == 1
    except ValueError:  # a port that is no number, a bracket too many
        known = False
    if not known:
        raise ValueError(f"{shown!r} is no address: it is http://host:port or https://host/v1")
    if parts.query or parts.fragment:
        raise ValueError(f"the address {shown!r} goes on with ? or #, which isn't sent along: give it without that part")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") if parts.path.strip("/") else "/v1"
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}", login


def _messages(row: dict, system: str | None) -> list[dict]:
    """As the model was trained: the instruction, then the picture before the question. PNG, so that no pixel changes."""
    file = io.BytesIO()
    open_picture(row["image"]).save(file, format="PNG")
    picture = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": row["query"]}]
    return [{"role": "system", "content": system}] * (system is not None) + [{"role": "user", "content": parts}]


def _shortly(said, longest: int = 200) -> str:
    text = " ".join(str(said).split())
    return text if len(text) <= longest else text[:longest] + "..."

"""What a run prints along the way, as a reader wants it afterwards: of each bar one closing line, of chatter nothing."""

import html
import re
from dataclasses import dataclass

import nbformat

SHORTEST = 2  # seconds; a bar that was over sooner needs no line
_OF_THE_LIBRARIES = ("Loading weights",)  # bars that say nothing about the lesson, however long they took
_BAR = re.compile(
    r"(?:(?P<what>.*?): *)?\d+%\|[^|]*\| *(?P<done>[\d.]+\w?)/[\d.]+\w? \[(?P<time>[\d:]+)<[^,\]]*(?:, *(?P<rate>[^,\]]*))?"
)
_COUNT = re.compile(r"(?:(?P<what>.*?): *)?(?P<done>[\d.]+\w?) ?(?P<unit>[a-z]+) \[(?P<time>[\d:]+), ")
_TRAINER = re.compile(r"<div>\s*<progress[^>]*>\s*</progress>\s*\[(?P<state>[^\]]*)\]\s*</div>")
_TRAINED = re.compile(r"\s*(?P<done>\d+)/(?P<all>\d+)(?: (?P<time>\d+(?::\d+)+))?")


@dataclass
class _Bar:
    what: str
    done: str
    unit: str
    seconds: int

    def __str__(self) -> str:
        return f"{self.what}: {self.done} {self.unit} in {spell(self.seconds)}" if self.what else f"{self.done} {self.unit}"

    @property
    def counts(self) -> bool:
        return bool(self.what) and self.seconds >= SHORTEST and self.what not in _OF_THE_LIBRARIES


def tidy(notebook: nbformat.NotebookNode) -> list[str]:
    """Tidy the outputs of an executed notebook in place; what was said on stderr besides bars comes back, as lines.

    A progress bar of tqdm leaves one line (what, how many, how long) where it stood, if it took long enough; the trainer's bar
    one line above its table. Everything else on stderr goes: it is the libraries' talk to programmers.
    """
    said = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        kept, last = [], None
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                bars, words = read_stderr(output.text, last)
                said += words
                last = bars[-1] if bars else last
                kept += [bar for bar in bars if not any(bar is one for one in kept)]
            else:
                _tidy_trainer(output)
                kept.append(output)
        cell.outputs = _joined(kept)
    return said


def read_stderr(text: str, last: _Bar | None = None) -> tuple[list[_Bar], list[str]]:
    """The bars that were drawn, each as it stood at its end, and all other lines. ``last``: a bar that may go on."""
    bars, words = [], []
    for piece in re.split(r"[\r\n]+", text):
        bar = _read_bar(piece)
        if bar is None:
            words += [piece] if piece.strip() else []
        elif last and last.what == bar.what and bar.seconds >= last.seconds and _size(bar.done) >= _size(last.done):
            last.done, last.seconds = bar.done, bar.seconds
            bars += [] if any(last is one for one in bars) else [last]
        else:
            last = bar
            bars.append(bar)
    return bars, words


def spell(seconds: float) -> str:
    """Seconds as a reader says them: 45 s, 1 min 5 s, 2 h 3 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min {seconds % 60} s" if seconds < 3600 else f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _read_bar(piece: str) -> _Bar | None:
    found = _BAR.search(piece)
    if found:
        rate = (found["rate"] or "").strip()
        unit = rate.split("/")[1] if re.match(r"[\d.?]+\w?s/", rate) else re.sub(r"^[\d.?]+[kMG]? ?(\w+)/s$", r"\1", rate)
    elif found := _COUNT.search(piece):
        unit = found["unit"]
    else:
        return None
    unit = "steps" if unit in ("it", "") or not unit.isalpha() else unit if unit.endswith("s") else f"{unit}s"
    return _Bar((found["what"] or "").strip(), found["done"], unit, _seconds(found["time"]))


def _size(number: str) -> float:
    return float(number.rstrip("kMG")) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(number[-1], 1)


def _seconds(clock: str) -> int:
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def _tidy_trainer(output: nbformat.NotebookNode) -> None:
    page = output.get("data", {}).get("text/html", "")
    if "<progress" in page:
        output.data["text/html"] = _TRAINER.sub(lambda found: f"<p>{html.escape(_trained(found['state']))}</p>", page)
        output.data["text/plain"] = "progress of the training"


def _trained(state: str) -> str:
    found = _TRAINED.match(state)
    if not found:
        return ""
    of = "" if found["done"] == found["all"] else f" of {found['all']}"
    took = f" in {spell(_seconds(found['time']))}" if found["time"] else ""  # two steps are too few for the trainer's clock
    return f"{found['done']}{of} steps{took}"


def _joined(outputs: list) -> list[nbformat.NotebookNode]:
    """Bars as lines of stdout; streams that stand beside each other as one."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        if isinstance(output, _Bar):
            if not output.counts:
                continue
            output = nbformat.v4.new_output("stream", name="stdout", text=f"{output}\n")
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined

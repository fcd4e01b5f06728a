"""The one reader of a folder's ``questions.csv``, whatever program wrote it; every row keeps its line in the file.

Spreadsheets write semicolons or tabs, a ``sep=`` line, a byte order mark, UTF-16, empty rows and columns at the end. All of
that is read. What could be misread (a column twice, a quote that never closes) is refused with its line.
"""

import codecs
import csv
import difflib
import io
import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from helpers.data.pictures import no_file, shown

COLUMNS = ("image", "question", "answer")
_LONGEST = 2**24  # characters of a cell: csv's own limit of 131,072 would be said to be an open quote
_ALSO = {"query": "question", "label": "answer"}  # the hub's names for them
_SPREADSHEET_ERROR = re.compile(r"#(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!)")
_DELIMITERS = ",;\t|"
HOW_TO = f"a CSV with the columns {', '.join(COLUMNS)}, a line for each question; image is the picture's file name"


@dataclass(frozen=True)
class CsvRow:
    """``line``: where the row begins in the file, whose first is 1. ``problem``: why it can't be used, or None."""

    line: int
    image: str
    question: str
    answer: str
    problem: str | None = None


@dataclass(frozen=True)
class CsvFile:
    """Every row of a file that isn't empty.

    ``notes``: (line, another name that was taken for a column). ``guesses``: by column, a misspelt one that was.
    """

    path: Path
    rows: list[CsvRow]
    notes: list[tuple[int, str]] = field(default_factory=list)
    guesses: dict[str, tuple[int, str]] = field(default_factory=dict)


def find_csv(folder: Path) -> Path:
    """``questions.csv`` of a folder, or its only CSV. FileNotFoundError says what is there instead."""
    if folder.is_file():
        raise FileNotFoundError(f"{folder} is a file: give the folder that it lies in, with pictures and a questions.csv")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}. Give one with pictures and a questions.csv: {HOW_TO}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and not path.name.startswith("."))
    named = [path for path in found if path.name.lower() == "questions.csv"]
    if len(named or found) == 1:
        return (named or found)[0]
    there = f"several CSV files ({', '.join(path.name for path in found)})" if found else "no CSV file"
    raise FileNotFoundError(f"{folder} holds {there}. Name the one to use questions.csv: {HOW_TO}")


def read_questions(path: Path) -> CsvFile:
    """The file's rows. ValueError names the line of what makes the file as a whole unreadable."""
    text = _text(path)
    skipped = 0
    first, _, rest = text.partition("\n")
    if first.strip().strip('"').lower().startswith("sep="):  # written by Excel, for Excel
        text, skipped = rest, 1
    header = next((line for line in text.splitlines() if line.strip()), "")
    records = [record for record in _records(text, _delimiter(header), path, skipped) if any(record[1])]
    (line, names), *others = records or [(1, [])]
    file = CsvFile(path, [])
    places = _places(file, line, names)
    file.rows.extend(_row(line, cells, len(names), places) for line, cells in others)
    return file


def find_picture(folder: Path, name: str) -> Path:
    """The picture that a cell names. FileNotFoundError suggests the nearest name.

    Backslashes separate folders too; accents may be composed or decomposed (macOS stores them apart); where no name fits to
    the letter, one that differs in capitals alone is taken.
    """
    if problem := no_file(name):
        raise FileNotFoundError(problem)
    for form in dict.fromkeys((name, name.replace("\\", "/"))):
        if os.path.exists(folder / form):  # Path.exists() raises for a name that is too long
            return folder / form
    at = folder
    for part in name.replace("\\", "/").split("/"):
        there = sorted(entry.name for entry in at.iterdir()) if at.is_dir() else []
        found = [entry for entry in there if _same(entry, part)] or [entry for entry in there if _same(entry, part, case=False)]
        if len(found) != 1 and part not in (".", ".."):
            near = found or difflib.get_close_matches(part, there, n=1)
            raise FileNotFoundError(
                f"the image {shown(name)} is not there" + (f". Did you mean {' or '.join(near)}?" if near else "")
            )
        at = at / (found[0] if found else part)
    return at


def _same(one: str, other: str, case: bool = True) -> bool:
    one, other = unicodedata.normalize("NFC", one), unicodedata.normalize("NFC", other)
    return one == other if case else one.casefold() == other.casefold()


def _text(path: Path) -> str:
    content = path.read_bytes()
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error}). Save it as 'CSV UTF-8' and try again") from error
    if "\0" in text:
        raise ValueError(f"{path} holds zero bytes: it is no CSV text, or UTF-16 without its mark. Save it as 'CSV UTF-8'")
    return text


def _delimiter(header: str) -> str:
    """What separates the header's cells: whatever makes most of ``COLUMNS`` out of it."""

    def fit(delimiter: str) -> tuple[int, int]:
        names = {cell.strip().strip('"').strip().lower() for cell in header.split(delimiter)}
        return len(names & {*COLUMNS, *_ALSO}), header.count(delimiter)

    return max(_DELIMITERS, key=fit)


def _records(text: str, delimiter: str, path: Path, skipped: int) -> list[tuple[int, list[str]]]:
    """(line where it begins, stripped cells) of each record, also of empty ones."""
    # Blanks between a closing quote and the separator are no valid CSV, and common: the second try is without them.
    tidy = re.sub(rf'(?<!")"[ \t]+(?=[{re.escape(delimiter)}\r\n])', '"', text)
    for attempt in (text, tidy):
        begins, found = 1, []
        csv.field_size_limit(_LONGEST)
        reader = csv.reader(io.StringIO(attempt, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                found.append((begins + skipped, [cell.strip() for cell in cells]))
                begins = reader.line_num + 1
            return found
        except csv.Error as error:
            wrong = error
    raise ValueError(
        f"{path}, line {begins + skipped}: a quote opens there that isn't closed as it should be ({wrong}). Close it; a quote "
        'inside a quoted text is written twice ("")'
    ) from wrong


def _places(file: CsvFile, line: int, header: list[str]) -> dict[str, int]:
    """Where each of ``COLUMNS`` is. Another word or a misspelt one is taken for it, and said in ``file``."""
    names = [cell.lower() for cell in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{file.path}, line {line}: the column {', '.join(twice)} is there twice. Rename or remove one of them"
        )
    places = {column: names.index(column) for column in COLUMNS if column in names}
    for column in COLUMNS:
        if column in places:
            continue
        free = [name for at, name in enumerate(names) if name and at not in places.values()]
        also = [name for name in free if _ALSO.get(name) == column]
        near = also or difflib.get_close_matches(column, free, n=1, cutoff=0.7)
        if not near:
            there = ", ".join(filter(None, header)) or "none"
            missing = ", ".join(column for column in COLUMNS if column not in places)
            raise ValueError(
                f"{file.path}, line {line}: it has the columns {there}, and none that could be {column!r}. The file needs "
                f"{', '.join(COLUMNS)} in its first line (missing: {missing})"
            )
        places[column] = names.index(near[0])
        wrong = f"there is no column {column!r}, and {header[places[column]]!r} was taken for it"
        if also:
            file.notes.append((line, wrong))
        else:
            file.guesses[column] = (line, f"{wrong}. Did you mean {column!r}? Rename it")
    return places


def _row(line: int, cells: list[str], width: int, places: dict[str, int]) -> CsvRow:
    values = {column: cells[at] if at < len(cells) else "" for column, at in places.items()}
    return CsvRow(line, **values, problem=_problem(cells, width, values))


def _problem(cells: list[str], width: int, values: dict[str, str]) -> str | None:
    if any(cells[width:]):
        return f"{len(cells)} cells under {width} columns. Quote a text that has the separator in it"
    swallowed = next((cell for cell in cells if "\n" in cell), None)
    if swallowed is not None and len(cells) < width:
        return f"{len(cells)} cells for {width} columns, and a quote that spans {swallowed.count(chr(10)) + 1} lines: close it"
    empty = next((column for column in COLUMNS if not values[column]), None)
    if empty is None and (broken := _SPREADSHEET_ERROR.fullmatch(values["answer"])):
        return f"the answer is {broken.group()}, what a spreadsheet writes where a formula failed"
    return f"the {empty} is empty" if empty else None

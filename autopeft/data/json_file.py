"""JSON Lines, and JSON in one piece: a list of objects, an object that holds one, or an object of columns."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autopeft.data.bad_rows import BadRows
from autopeft.data.opening import MAX_PIECE_BYTES, lines_of, open_bytes, whole_text
from autopeft.data.records import Record, one_line
from autopeft.errors import DataError

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_BROKEN = (ValueError, RecursionError)
_ONE_OBJECT = "every line must be one JSON object"


def json_line_records(path: Path, bad: BadRows) -> Iterator[Record]:
    """One object a line, blank lines left out.

    Raises:
        DataError: a line that is none and may not be left out.
    """
    with open_bytes(path) as stream:
        for number, line in lines_of(stream, path, bad):
            if not line.strip():
                continue
            place = f"{path} line {number}"
            try:
                cells = json.loads(line)
            except _BROKEN as error:
                bad.unreadable(DataError(f"{place}: broken JSON: {_why(error)}", hint=_ONE_OBJECT))
                continue
            if isinstance(cells, dict):
                yield Record(number, cells, len(line))
            else:
                bad.unreadable(DataError(f"{place}: a {type(cells).__name__}, not an object", hint=_ONE_OBJECT))


def is_json_lines(path: Path) -> bool:
    """Whether a `.json` file holds an object on its first line and more below it."""
    with open_bytes(path) as stream:
        first = next((line for _, line in lines_of(stream, path, BadRows()) if line.strip()), "")
        try:
            return isinstance(json.loads(first), dict) and bool(stream.read(1))
        except _BROKEN:
            return False


def json_records(path: Path, bad: BadRows) -> Iterator[Record]:
    """The rows of a file that is one JSON value.

    Raises:
        DataError: broken, of another shape, or beyond `opening.MAX_PIECE_BYTES`.
    """
    if path.stat().st_size > MAX_PIECE_BYTES:
        whole_text(path, bad)  # says that it is too large
    text = whole_text(path, bad)
    begin = _skip(text, 0)
    if text[begin : begin + 1] == "[":
        yield from _listed(text, begin, path, bad)
        return
    for number, cells in enumerate(_held(text, path), 1):
        if isinstance(cells, dict):
            yield Record(number, cells, 0)
        else:
            bad.unreadable(_no_object(path, number, cells))


def _listed(text: str, begin: int, path: Path, bad: BadRows) -> Iterator[Record]:
    """The objects of a list, one after the other: the tree of all of them can take many times the text."""
    at, number = _skip(text, begin + 1), 0
    while text[at : at + 1] != "]":
        number += 1
        try:
            cells, end = _DECODER.raw_decode(text, at)
        except _BROKEN as error:
            raise _broken(f"{path} row {number}", error) from None
        if isinstance(cells, dict):
            yield Record(number, cells, end - at)
        else:
            bad.unreadable(_no_object(path, number, cells))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _broken(f"{path} row {number}", ValueError("a comma or ] is missing after it"))
    if _skip(text, at + 1) != len(text):
        raise _broken(str(path), ValueError("there is more after the end of the list"))


def _held(text: str, path: Path) -> Iterator[Any]:
    try:
        value = json.loads(text)
    except _BROKEN as error:
        raise _broken(str(path), error) from None
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        if isinstance(inner, list) and any(isinstance(row, dict) for row in inner):
            yield from inner
            return
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        yield from _rows_of_columns(value, path)
    elif isinstance(value, dict) and value:
        yield value
    else:
        raise DataError(
            f"{path}: neither a list of objects nor columns", hint='write [{"text": ..., "label": ...}, ...]'
        )


def _rows_of_columns(columns: dict[str, list[Any]], path: Path) -> Iterator[dict[str, Any]]:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise DataError(f"{path}: the columns differ in length ({listed})", hint="give every row every column")
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(columns, cells, strict=True))


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _no_object(path: Path, number: int, value: Any) -> DataError:
    return DataError(f"{path} row {number}: a {type(value).__name__}, not an object", hint="list one object a row")


def _broken(place: str, error: Exception) -> DataError:
    return DataError(f"{place}: broken JSON: {_why(error)}", hint="check the file with a JSON tool")


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else one_line(error)

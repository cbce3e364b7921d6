"""What a cell of each kind holds, whatever form the file keeps it in.

A reader gives the value, or None where the cell is missing, or a one-line error that names the place.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autopeft.data.chat import Conversation, conversation_of
from autopeft.data.labels import label_text
from autopeft.domain.tasks import CellKind
from autopeft.errors import DataError

Reader = Callable[[Any, Sequence[str] | None, str], Any]

_SEPARATORS = re.compile(r"[,;|]")
_STARTS, _SPAN_LABELS = ("start", "start_offset", "begin"), ("label", "type", "entity", "entity_type", "tag")
_ENDS = ("end", "end_offset")


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a text; `end` is the first character behind it."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A stretch of a context, and where it begins; -1 where that is not said."""

    text: str
    start: int


def read_cell(kind: CellKind, value: Any, names: Sequence[str] | None = None, place: str = "") -> Any:
    """The value of a cell, or None where it is missing.

    Args:
        kind: what it should hold; see `TaskSpec.kind_of`.
        value: as the table has it.
        names: of the classes, where the data set declares them.
        place: of the row, for messages.

    Raises:
        DataError: it holds something else.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return _READERS[kind](value, names, place)


def _text(value: Any, names: Sequence[str] | None, place: str) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool | int | float):
        return str(value)
    raise _other(value, "text", place)


def _number(value: Any, names: Sequence[str] | None, place: str) -> float | None:
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, bool | list | Mapping):
        try:
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise DataError(f"{place}: {str(value)[:40]!r} is no number", hint="name a column of numbers")


def _classes(value: Any, names: Sequence[str] | None, place: str) -> tuple[str, ...]:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        parts: Sequence[Any] = [part for part in _SEPARATORS.split(value) if part.strip()]
    else:
        parts = _listed(value, "list of labels", place)
    return tuple(dict.fromkeys(_labels(parts, names, place)))


def _tags(value: Any, names: Sequence[str] | None, place: str) -> tuple[str, ...] | None:
    parts = _words(value, "list of tags", place)
    return tuple(_labels(parts, names, place)) or None


def _tokens(value: Any, names: Sequence[str] | None, place: str) -> tuple[str, ...] | None:
    parts = _words(value, "list of words", place)
    if any(part is None for part in parts):
        raise DataError(f"{place}: a word is missing in the list of words", hint="give every word a text")
    return tuple(str(part) for part in parts) or None


def _choices(value: Any, names: Sequence[str] | None, place: str) -> tuple[str, ...]:
    if isinstance(value, Mapping) and "text" in value:  # {"text": [...], "label": ["A", ...]}
        value = value["text"]
    parts = _listed(value, "list of choices", place)
    if len(parts) < 2 or any(not str(part or "").strip() for part in parts):
        raise DataError(f"{place}: fewer than two choices, or an empty one", hint="give a list of two texts or more")
    return tuple(str(part) for part in parts)


def _spans(value: Any, names: Sequence[str] | None, place: str) -> tuple[Span, ...]:
    spans = [_span(part, names, place) for part in _records(value, "list of spans", place)]
    return tuple(sorted(spans, key=lambda span: (span.start, span.end)))


def _span(part: Any, names: Sequence[str] | None, place: str) -> Span:
    if isinstance(part, Mapping):
        part = [_first(part, keys) for keys in (_STARTS, _ENDS, _SPAN_LABELS)]
    hint = 'write [{"start": 0, "end": 5, "label": "PER"}, ...]'
    if not isinstance(part, list | tuple) or len(part) != 3:
        raise DataError(f"{place}: a span is not a start, an end and a label", hint=hint)
    start, end, label = part
    name = label_text(label, names, place)
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end) or name is None:
        raise DataError(f"{place}: the span {str(list(part))[:60]} is not a start, an end and a label", hint=hint)
    return Span(start, end, name)


def _answers(value: Any, names: Sequence[str] | None, place: str) -> tuple[Answer, ...]:
    if isinstance(value, str) and not value.lstrip().startswith(("[", "{")):
        return (Answer(value, -1),) if value.strip() else ()
    found = [_answer(part, place) for part in _records(value, "list of answers", place)]
    return tuple(answer for answer in found if answer.text.strip())


def _answer(part: Any, place: str) -> Answer:
    text, start = part, None
    if isinstance(part, Mapping):
        text, start = part.get("text"), _first(part, ("answer_start", "start"))
    if not isinstance(text, str) or not isinstance(start, int | None):
        raise DataError(
            f"{place}: an answer is not a text and a start", hint='write {"text": ["..."], "answer_start": [0]}'
        )
    return Answer(text, -1 if start is None else start)


def _conversation(value: Any, names: Sequence[str] | None, place: str) -> Conversation | None:
    return conversation_of(parsed(value), place)


def _class(value: Any, names: Sequence[str] | None, place: str) -> str | None:
    return label_text(value, names, place)


def _labels(parts: Sequence[Any], names: Sequence[str] | None, place: str) -> list[str]:
    found = [label_text(part, names, place) for part in parts]
    if any(label is None for label in found):
        raise DataError(f"{place}: a label is missing in the list", hint="give every entry a label")
    return [label for label in found if label is not None]


def _words(value: Any, what: str, place: str) -> Sequence[Any]:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return value.split()
    return _listed(value, what, place)


def _listed(value: Any, what: str, place: str) -> Sequence[Any]:
    value = parsed(value)
    if not isinstance(value, list | tuple):
        raise _other(value, what, place)
    return value


def _records(value: Any, what: str, place: str) -> Sequence[Any]:
    """Records, also where they are kept as one object of lists."""
    value = parsed(value)
    if isinstance(value, Mapping) and value and all(isinstance(column, list | tuple) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise DataError(f"{place}: the lists of the {what} differ in length", hint="give each as many entries")
        return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]
    return [value] if isinstance(value, Mapping) else _listed(value, what, place)


def parsed(value: Any) -> Any:
    """The list or object that a text cell holds as JSON; any other value as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _first(record: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _other(value: Any, what: str, place: str) -> DataError:
    article = "" if what == "text" else "a "
    return DataError(f"{place}: a {type(value).__name__} where {article}{what} should be", hint="name another column")


_READERS: Mapping[CellKind, Reader] = {
    "text": _text,
    "class": _class,
    "classes": _classes,
    "number": _number,
    "tokens": _tokens,
    "tags": _tags,
    "spans": _spans,
    "answers": _answers,
    "choices": _choices,
    "messages": _conversation,
}

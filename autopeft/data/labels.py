"""Labels of a classification: from raw cells to a vocabulary taken from the training rows."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autopeft.errors import DataError

if TYPE_CHECKING:
    from autopeft.data.rows import Rows

LABEL = "label"
_WHOLE = re.compile(r"[-+]?\d{1,18}")
# What a column of whole numbers becomes in programs that keep missing cells as NaN.
_WHOLE_AS_FRACTION = re.compile(r"([-+]?\d{1,18})\.0")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# Fewer rows than this say nothing about whether a column holds classes.
_ROWS_TO_JUDGE = 20


def label_text(value: Any, names: Sequence[str] | None, place: str) -> str | None:
    """The label of a cell as text; None when it is missing.

    Args:
        value: text, whole number, truth value or float.
        names: of the classes, where the data set declares them; -1 then stands for a missing label.
        place: the row, for messages.

    Raises:
        DataError: a list or other value that is no label, or a number outside of `names`.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        whole = _WHOLE_AS_FRACTION.fullmatch(value.strip())
        return whole[1] if whole else value.strip() or None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, int):
        raise DataError(
            f"{place}: the label is a {type(value).__name__}, not one class",
            hint="name a column with one class a row with --label-column",
        )
    if names is None or isinstance(value, bool):
        return str(value).lower()
    return _declared(value, names, place)


def _declared(value: int, names: Sequence[str], place: str) -> str | None:
    if value == -1:
        return None
    if not 0 <= value < len(names):
        raise DataError(f"{place}: the label {value} is outside of the {len(names)} declared classes")
    return str(names[value])


def label_vocabulary(train: Sequence[str], declared: Sequence[str] | None = None) -> tuple[str, ...]:
    """The classes of the training rows: in declared order, else by number, else by name.

    Raises:
        DataError: a single class, fractions (a regression), or nearly as many values as rows.
    """
    seen = set(train)
    if any(not _WHOLE.fullmatch(label) for label in seen) and all(_NUMBER.fullmatch(label) for label in seen):
        example = next(label for label in train if not _WHOLE.fullmatch(label))
        raise DataError(
            f"the labels are fractions, such as {example}: that is a regression",
            hint="say --task regression, or name a column of classes with --label-column",
        )
    if len(seen) == 1:
        raise DataError(
            f"all {len(train)} training rows have the same label {train[0]!r}",
            hint="a classification needs two classes",
        )
    if len(train) >= _ROWS_TO_JUDGE and len(seen) > len(train) / 2:
        raise DataError(
            f"{len(seen)} different labels in {len(train)} training rows: these are no classes",
            hint="name the column of classes with --label-column",
        )
    if declared:
        return tuple(name for name in declared if name in seen)
    if all(_WHOLE.fullmatch(label) for label in seen):
        return tuple(sorted(seen, key=lambda label: (int(label), label)))
    return tuple(sorted(seen))


def encode_labels(splits: Mapping[str, "Rows"], vocabulary: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Split -> class numbers (from 0, the position in `vocabulary`), one a row.

    Raises:
        DataError: a label that no training row has; names the value, the row and the split.
    """
    number_of = {name: number for number, name in enumerate(vocabulary)}
    encoded: dict[str, tuple[int, ...]] = {}
    for split, rows in splits.items():
        labels = rows.labels or ()
        for index, label in enumerate(labels):
            if label not in number_of:
                require_known([label], number_of, split, rows.place(index))
        encoded[split] = tuple(number_of[label] for label in labels)
    return encoded


def require_known(labels: Sequence[str], vocabulary: Collection[str], split: str, place: str) -> None:
    """See that every label of a row is one of those that are learned.

    Args:
        labels: of the row.
        vocabulary: of the training rows, in order.
        split: that the row is of.
        place: of the row, for the message.

    Raises:
        DataError: one is not; the hint names those that are.
    """
    for label in labels:
        if label not in vocabulary:
            raise DataError(
                f"{place}: the label {label[:60]!r} of {split} does not occur in the training rows",
                hint=f"known labels: {_listed(list(vocabulary))}; correct the row, or add such rows to train",
            )


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

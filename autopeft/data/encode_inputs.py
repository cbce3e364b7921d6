"""Rows that are answered as a whole: a class, several labels, a number, or one of several choices."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from autopeft.data.encoder import Encoder, Inputs, Texts, encode_inputs
from autopeft.data.labels import encode_labels, require_known
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData
from autopeft.errors import DataError

Splits = Mapping[str, Rows]


def encode_classes(data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None) -> TaskData:
    """A text or pair of texts, and its class."""
    labels = encode_labels(splits, data.label_names)
    return _encode(data, splits, encoder, max_length, {s: np.asarray(v, dtype=np.int64) for s, v in labels.items()})


def encode_label_sets(data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None) -> TaskData:
    """A text or pair of texts, and 0 or 1 for each label.

    Raises:
        DataError: a label that no training row has; names the value, the row and the split.
    """
    number_of = {name: number for number, name in enumerate(data.label_names)}
    labels: dict[str, npt.NDArray[np.float32]] = {}
    for split, rows in splits.items():
        labels[split] = np.zeros((len(rows), len(number_of)), dtype=np.float32)
        for index, names in enumerate(rows.values["labels"]):
            require_known(names, number_of, split, rows.place(index))
            labels[split][index, [number_of[name] for name in names]] = 1
    return _encode(data, splits, encoder, max_length, labels)


def encode_numbers(data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None) -> TaskData:
    """A text or pair of texts, and a number."""
    labels = {split: np.asarray(list(rows.values["label"]), dtype=np.float32) for split, rows in splits.items()}
    return _encode(data, splits, encoder, max_length, labels)


def _encode(
    data: TaskData,
    splits: Splits,
    encoder: Encoder,
    max_length: int | None,
    labels: Mapping[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]],
) -> TaskData:
    sides = {split: (rows.texts["text"], rows.texts.get("text_pair")) for split, rows in splits.items()}
    encoded, most, cut = encode_inputs(sides, encoder, max_length)
    done = {
        split: EncodedSplit(inputs.input_ids, useful_types(inputs), labels[split]) for split, inputs in encoded.items()
    }
    truncated = sum(int(part.sum()) for part in cut.values())
    return replace(data, splits=done, max_length=most, truncated_rows=truncated)


def useful_types(inputs: Inputs) -> Ragged | None:
    """Token types, unless they are all zero, which is what every model takes by default."""
    types = inputs.token_type_ids
    return types if types is not None and bool(types.values.any()) else None


def encode_choices(data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None) -> TaskData:
    """The text paired with each choice; every row has as many choices.

    Raises:
        DataError: a row has more or fewer choices than the first one, or its label is none of them.
    """
    choices = {split: row_choices(rows) for split, rows in splits.items()}
    count = len(choices["train"][0])
    sides: dict[str, tuple[Texts, Texts | None]] = {}
    for split, rows in splits.items():
        _require_count(split, rows, choices[split], count)
        asked = asked_texts(rows)
        flat = [text for row in choices[split] for text in row]
        sides[split] = ([text for text in asked for _ in range(count)], flat)
    encoded, most, cut = encode_inputs(sides, encoder, max_length)
    done = {
        split: EncodedSplit(
            inputs.input_ids, useful_types(inputs), _right_choices(split, splits[split], count), choices=count
        )
        for split, inputs in encoded.items()
    }
    truncated = sum(int(part.reshape(-1, count).any(axis=1).sum()) for part in cut.values())
    names = tuple(f"choice {place}" for place in range(1, count + 1))
    return replace(data, splits=done, label_names=names, max_length=most, truncated_rows=truncated)


def choice_roles(roles: Iterable[str]) -> list[str]:
    """Of a row's texts, those that are a choice each, in their order."""
    return sorted(role for role in roles if role.startswith("choice"))


def asked_roles(roles: Collection[str]) -> list[str]:
    """Of a row's texts, those that ask, in the order in which they are put together."""
    return [role for role in ("premise", "question") if role in roles]


def row_choices(rows: Rows) -> list[Sequence[str]]:
    """The choices of every row, whether they came as one list or in columns `choice1`, `choice2`, ..."""
    if "choices" in rows.values:
        return list(rows.values["choices"])
    columns = [rows.texts[role] for role in choice_roles(rows.texts)]
    return list(zip(*columns, strict=True))


def asked_texts(rows: Rows) -> list[str]:
    """What is asked in every row: the premise, the question, or both."""
    columns = [rows.texts[role] for role in asked_roles(rows.texts)]
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


def _require_count(split: str, rows: Rows, choices: Sequence[Sequence[str]], count: int) -> None:
    for number, row in zip(rows.numbers, choices, strict=True):
        if len(row) != count:
            raise DataError(
                f"{split} row {number}: {len(row)} choices where the first training row has {count}",
                hint="give every row as many choices",
            )


def _right_choices(split: str, rows: Rows, count: int) -> npt.NDArray[np.int64]:
    found = [choice_number(label, count) for label in rows.labels or ()]
    for number, label, place in zip(rows.numbers, rows.labels or (), found, strict=True):
        if place is None:
            raise DataError(
                f"{split} row {number}: the label {label!r} is none of the {count} choices",
                hint=f"number the choices from 0 to {count - 1}, or name them A, B, ...",
            )
    return np.asarray(found, dtype=np.int64)


def choice_number(label: str, count: int) -> int | None:
    """The place, from 0, of the choice that a label names by number or letter; None where there is no such choice."""
    place = int(label) if label.isdecimal() else ord(label.upper()) - ord("A") if len(label) == 1 else -1
    return place if 0 <= place < count else None

"""Plain columns to a `datasets.Dataset`, whatever mixture of values they hold."""

import json
from typing import Any

import datasets
import pyarrow

from autopeft.errors import DataError

_REFUSALS = (pyarrow.ArrowException, TypeError, ValueError, OverflowError)


def table_of(columns: dict[str, list[Any]], shown: str) -> datasets.Dataset:
    """A table of equally long columns.

    A column that mixes types becomes text: a column that plays no role should not stop anyone, and the
    columns that do are read as text anyway.

    Args:
        columns: name -> values.
        shown: the source's name in messages.

    Raises:
        DataError: the columns differ in length, or hold text that is no valid Unicode.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise DataError(f"{shown}: the columns differ in length ({listed})", hint="give every row every column")
    return datasets.Dataset(pyarrow.table({name: _array(name, values, shown) for name, values in columns.items()}))


def _array(name: str, values: list[Any], shown: str) -> pyarrow.Array:
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    try:
        array = pyarrow.array(plain, from_pandas=True)
        return pyarrow.array(plain, pyarrow.string()) if pyarrow.types.is_null(array.type) else array
    except _REFUSALS:
        pass  # mixed types, or numbers beyond 64 bits: text below
    try:
        return pyarrow.array([_as_text(value) for value in plain], pyarrow.string())
    except _REFUSALS:
        row = next((row for row, value in enumerate(plain, 1) if not _encodable(_as_text(value))), 1)
        raise DataError(
            f"{shown} row {row}: {name!r} holds text that is no valid Unicode", hint="save the file as UTF-8"
        ) from None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _encodable(text: str | None) -> bool:
    try:
        (text or "").encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

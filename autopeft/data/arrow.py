"""Plain columns to Arrow, whatever mixture of values they hold."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import datasets
import pyarrow

from autopeft.errors import DataError

_REFUSALS = (pyarrow.ArrowException, TypeError, ValueError, OverflowError, RecursionError)
# Arrow's files end at 64.
_MAX_DEPTH = 32
_TEXT = pyarrow.string()


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
    arrays = {name: plain_array(name, values, shown) for name, values in columns.items()}
    return datasets.Dataset(pyarrow.table(arrays))


def plain_array(name: str, values: Sequence[Any], shown: str, first: int = 1) -> pyarrow.Array:
    """The values of a column, as text where they mix types or nest deep.

    Args:
        name: of the column.
        values: as Python, numpy or pandas have them.
        shown: the source's name in messages.
        first: row of the first value, from 1.

    Raises:
        DataError: text that is no valid Unicode, or a name that Arrow would cut short.
    """
    if "\0" in name:
        raise DataError(f"{shown}: the name {name!r} of a column holds a null character", hint="rename the column")
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    try:
        array = pyarrow.array(plain, from_pandas=True)
        if _depth(array.type) <= _MAX_DEPTH:
            return array
    except _REFUSALS:
        pass  # mixed types, or numbers beyond 64 bits: text below
    texts = [as_text(value) for value in plain]
    try:
        return pyarrow.array(texts, _TEXT)
    except _REFUSALS:
        row = next((row for row, text in enumerate(texts, first) if not _encodable(text)), first)
        raise DataError(
            f"{shown} row {row}: {name!r} holds text that is no valid Unicode", hint="save the file as UTF-8"
        ) from None


def joined(parts: Sequence[pyarrow.Table], lay_out: Callable[[pyarrow.Table], pyarrow.Table]) -> pyarrow.Table:
    """The rows of all parts, whose columns may differ.

    A column whose parts do not fit together becomes text; one that a part lacks is empty there.

    Args:
        parts: in order.
        lay_out: is given a part that had to be converted, and gives it back, perhaps in another place.
    """
    types: dict[str, list[pyarrow.DataType]] = {}
    for part in parts:
        for column in part.schema:
            types.setdefault(column.name, []).append(column.type)
    schema = pyarrow.schema([(name, _shared_type(of_parts)) for name, of_parts in types.items()])
    return pyarrow.concat_tables(
        part if part.schema.equals(schema) else lay_out(_fitted(part, schema)) for part in parts
    )


def _shared_type(types: Sequence[pyarrow.DataType]) -> pyarrow.DataType:
    schemas = [pyarrow.schema([("", one)]) for one in dict.fromkeys(types)]
    try:
        return pyarrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pyarrow.ArrowException:
        return _TEXT


def _fitted(part: pyarrow.Table, schema: pyarrow.Schema) -> pyarrow.Table:
    present = set(part.column_names)
    columns = [
        _converted(part[field.name], field.type) if field.name in present else pyarrow.nulls(part.num_rows, field.type)
        for field in schema
    ]
    return pyarrow.table(columns, schema=schema)


def _converted(column: pyarrow.ChunkedArray, kind: pyarrow.DataType) -> pyarrow.ChunkedArray:
    if column.type.equals(kind):
        return column
    if kind.equals(_TEXT):
        return pyarrow.chunked_array([[as_text(value) for value in column.to_pylist()]], _TEXT)
    return column.cast(kind, safe=False)


def as_text(value: Any) -> str | None:
    """A value as text: lists and objects as JSON, truth values in lower case, None where it is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple | dict):
        try:
            return json.dumps(value, default=str)
        except RecursionError:
            return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _depth(kind: pyarrow.DataType) -> int:
    return 1 + max((_depth(kind.field(index).type) for index in range(kind.num_fields)), default=0)


def _encodable(text: str | None) -> bool:
    try:
        (text or "").encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

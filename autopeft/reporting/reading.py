"""Reads JSON of any shape without surprises: what is missing or of another kind is None or empty.

A report is rendered for running, interrupted and old runs too, so no key is taken for granted here, and a
number that is not finite is an unknown one.
"""

import math
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
Pairs = tuple[tuple[str, Any], ...]


def record(parent: Record, key: str) -> Record:
    """The mapping under `key`; empty when there is none."""
    found = parent.get(key)
    return found if isinstance(found, Mapping) else {}


def records(parent: Record, key: str) -> tuple[Record, ...]:
    """The mappings of the list under `key`."""
    return tuple(item for item in _items(parent, key) if isinstance(item, Mapping))


def number(parent: Record, key: str) -> float | None:
    """The finite number under `key`, or None."""
    return finite(parent.get(key))


def whole(parent: Record, key: str) -> int | None:
    """The number under `key` as an int, or None."""
    found = number(parent, key)
    return None if found is None else round(found)


def flag(parent: Record, key: str, default: bool) -> bool:
    """The boolean under `key`, else `default`."""
    found = parent.get(key)
    return found if isinstance(found, bool) else default


def text(parent: Record, key: str) -> str | None:
    """The text under `key`, or None when it is missing or empty."""
    found = parent.get(key)
    if found is None or isinstance(found, Mapping | list | tuple):
        return None
    return plain(found).strip() or None


def texts(parent: Record, key: str) -> tuple[str, ...]:
    """The texts of the list under `key`; a bare text is a list of one."""
    if isinstance(parent.get(key), str):
        found = text(parent, key)
        return (found,) if found else ()
    return tuple(plain(item) for item in _items(parent, key) if item is not None)


def pairs(parent: Record, key: str) -> Pairs:
    """The entries of the mapping under `key`, in its order, with values as they are."""
    return tuple((plain(name), value) for name, value in record(parent, key).items())


def points(parent: Record, key: str) -> tuple[tuple[float, float], ...]:
    """The finite (x, y) pairs of the list under `key`."""
    rows = [item for item in _items(parent, key) if isinstance(item, list | tuple) and len(item) >= 2]
    read = [(finite(row[0]), finite(row[1])) for row in rows]
    return tuple((x, y) for x, y in read if x is not None and y is not None)


def plain(value: object) -> str:
    """`value` as text that any file can hold: no lone surrogates, no controls but tab and newline."""
    kept = str(value).encode("utf-8", "replace").decode("utf-8")
    return "".join(letter for letter in kept if letter in "\n\t" or (letter >= " " and letter != "\x7f"))


def finite(value: object) -> float | None:
    """`value` as a float where it is a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _items(parent: Record, key: str) -> tuple[Any, ...]:
    found = parent.get(key)
    return tuple(found) if isinstance(found, list | tuple) else ()

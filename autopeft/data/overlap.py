"""Rows that two splits share: a figure measured on what was trained on says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autopeft.data.rows import Rows
from autopeft.errors import DataError

Keys = npt.NDArray[np.int64]

# Published data sets share up to 1.7 % of their held-out rows with train (CoLA 18 of 1,043, WikiANN 20 of 1,500,
# STS-B 7 of 1,379; counted): those are taken out of train. More says that the splits were not made apart.
MAX_SHARED_SHARE = 0.05
MAX_SHARED_ROWS = 10
# Test measures, so it keeps its rows; what validation shares with train, validation keeps.
_PRECEDENCE = (("validation", ("test",)), ("train", ("test", "validation")))


@dataclass(frozen=True, slots=True)
class Part:
    """A split on its way to be cut and cleaned.

    Attributes:
        rows: of the split.
        keys: what makes each row the same as another, (rows,).
        units: which rows must stay together, (rows,): the group, or the rows with the same key.
    """

    rows: Rows
    keys: Keys
    units: Keys

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, indices: npt.NDArray[np.int64]) -> "Part":
        """The rows at `indices` (from 0), in that order."""
        return Part(self.rows.select(indices), self.keys[indices], self.units[indices])


def part_of(rows: Rows) -> Part:
    """The split with its keys."""
    keys = rows.identities()
    if rows.groups is None:
        return Part(rows, keys, keys)
    numbers: dict[str, int] = {}
    # A row of no group is a unit with its own copies.
    units = [
        numbers.setdefault(group, len(numbers)) if group else key
        for group, key in zip(rows.groups, keys.tolist(), strict=True)
    ]
    return Part(rows, keys, np.array(units, np.int64))


def without_shared(parts: Mapping[str, Part], *, allow: bool) -> tuple[dict[str, Part], tuple[str, ...]]:
    """The splits without rows that a split which measures has too, and what was taken out, said in sentences.

    Args:
        parts: `train`, `validation` and `test`.
        allow: whether shared rows stay where they are, however many.

    Raises:
        DataError: the splits share too much, and it is not allowed.
    """
    done, notes = dict(parts), []
    for split, others in _PRECEDENCE:
        shared = {other: np.isin(done[split].keys, done[other].keys) for other in others}
        found = np.logical_or.reduce(list(shared.values()))
        if not found.any():
            continue
        if allow:
            notes.append(f"{split}: {found.sum()} rows whose text is also in {' or '.join(others)} stay, as allowed")
            continue
        for other in others:
            _refuse_many(done[split], done[other], split, other)
        done[split] = done[split].select(np.flatnonzero(~found))
        notes.append(f"{split}: {found.sum()} rows removed whose text is also in {_either(others)}")
    return done, tuple(notes)


def refuse_shared_groups(given: Mapping[str, Rows], *, allow: bool) -> tuple[str, ...]:
    """See that no group of rows lies in two of the splits that were given.

    Raises:
        DataError: one does, and it is not allowed.
    """
    groups = {split: set(rows.groups or ()) - {""} for split, rows in given.items()}
    names = list(groups)
    for index, split in enumerate(names):
        for other in names[index + 1 :]:
            shared = groups[split] & groups[other]
            if shared and allow:
                return (f"{len(shared)} groups are in both {split} and {other}, as allowed",)
            if shared:
                raise DataError(
                    f"{len(shared)} groups are in both {split} and {other}, such as {min(shared)!r}",
                    hint="part the splits by group, or allow it with --allow-overlap",
                )
    return ()


def _refuse_many(part: Part, measured: Part, split: str, other: str) -> None:
    shared = np.isin(measured.keys, part.keys)
    count, rows = int(shared.sum()), len(measured)
    if count > max(MAX_SHARED_ROWS, MAX_SHARED_SHARE * rows):
        first = measured.rows.place(int(np.argmax(shared)))
        raise DataError(
            f"{count} of {rows} rows of {other} are in {split} too, first {first}: figures from there would flatter",
            hint=f"part the splits, leave {other} out to have one cut, or keep them so with --allow-overlap",
        )


def _either(others: tuple[str, ...]) -> str:
    return " or ".join(sorted(others, reverse=True))

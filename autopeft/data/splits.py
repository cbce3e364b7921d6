"""Training, validation and test rows: missing splits are cut from train, shared texts removed, rows capped.

Validation chooses, test measures once: neither is ever cut from the other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from autopeft.data.overlap import Part, part_of, refuse_shared_groups, without_shared
from autopeft.data.rows import Rows
from autopeft.errors import DataError

SPLITS = ("train", "validation", "test")
HELD_OUT_SHARE = 0.1
# Independent random streams per purpose, so that a cap does not move the rows of another split.
_STREAMS = {"validation": 1, "test": 2, "cap": 3}
_LEAST_ROWS = 5


def make_splits(
    given: Mapping[str, Rows],
    *,
    seed: int = 0,
    allow_overlap: bool = False,
    max_train_rows: int | None = None,
    max_validation_rows: int | None = None,
    max_test_rows: int | None = None,
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Train, validation and test rows, disjoint in their texts, and notes on what was done.

    A missing validation or test split is 10 % of train, drawn with `seed`, stratified where the rows carry labels.
    Rows of one group, or with the same text, are cut together. Rows of train whose text is also in validation or
    test are removed from train, rows of validation whose text is also in test from validation; see `overlap` for
    when that is refused. Caps sample with `seed`, keep the order and at least one row of every class; a smaller cap
    takes a subset of what a larger one takes.

    Raises:
        DataError: no train split, splits that share much, or too few rows to cut from or to go on with.
    """
    if "train" not in given:
        raise DataError(f"there is no train split, only {', '.join(given) or 'nothing'}", hint="name a file train.*")
    notes = list(refuse_shared_groups(given, allow=allow_overlap))
    parts = {split: part_of(rows) for split, rows in given.items()}
    whole = len(parts["train"])
    for split in (split for split in ("test", "validation") if split not in given):
        notes.append(_cut_from_train(parts, split, whole, seed))
    parts, shared_notes = without_shared(parts, allow=allow_overlap)
    splits = {split: parts[split].rows for split in SPLITS}
    notes += shared_notes
    caps = {"train": max_train_rows, "validation": max_validation_rows, "test": max_test_rows}
    for split in SPLITS:
        notes += _cap(splits, split, caps[split], seed)
        if not len(splits[split]):
            raise DataError(f"the {split} split has no row left", hint="give more rows, or raise the cap on rows")
    return splits, tuple(notes)


def _cut_from_train(parts: dict[str, Part], split: str, whole: int, seed: int) -> str:
    if whole < _LEAST_ROWS:
        raise DataError(
            f"{whole} rows of train are too few to cut a {split} split from",
            hint=f"give {_LEAST_ROWS} rows or more, or a {split} split",
        )
    train = parts["train"]
    taken = _units_taken(train, round(HELD_OUT_SHARE * whole) or 1, seed, split)
    parts["train"], parts[split] = train.select(np.flatnonzero(~taken)), train.select(np.flatnonzero(taken))
    grouped = "" if train.rows.groups is None else ", whole groups"
    return f"{split}: {taken.sum()} rows cut from train (10 %, seed {seed}{grouped})"


def _units_taken(part: Part, count: int, seed: int, split: str) -> npt.NDArray[np.bool_]:
    """For each row whether it is cut out: whole units, `count` rows or a little fewer; (rows,)."""
    _, first, unit_of_row, sizes = np.unique(part.units, return_index=True, return_inverse=True, return_counts=True)
    if len(first) < 2:
        raise DataError(f"all rows of train are one group: no {split} split can be cut", hint="give one yourself")
    by_appearance = np.argsort(first)
    labels = part.rows.labels
    ranked = _ranked(
        [labels[row] for row in first[by_appearance].tolist()] if labels else None, len(first), seed, split
    )
    chosen, room = [], count
    for unit in by_appearance[ranked].tolist():
        if sizes[unit] <= room:
            chosen.append(unit)
            room -= sizes[unit]
        if not room:
            break
    return np.isin(unit_of_row, chosen or [int(np.argmin(sizes))])


def _cap(splits: dict[str, Rows], split: str, most: int | None, seed: int) -> list[str]:
    rows = splits[split]
    if most is None or len(rows) <= most:
        return []
    ranked = _ranked(rows.labels, len(rows), seed, "cap", keep_one=True)
    splits[split] = rows.select(np.sort(ranked[:most]))
    return [f"{split}: {most} of {len(rows)} rows drawn (seed {seed})"]


def _ranked(
    labels: Sequence[str] | None, rows: int, seed: int, purpose: str, *, keep_one: bool = False
) -> npt.NDArray[np.int64]:
    """All indices in the order in which they are taken, in proportion to the labels.

    Every row gets a place in (0, 1) within its class: the k-th of n at (k - 1/2) / n. The rows with the
    lowest places are taken, which is proportional to a row, and nested in their number. With `keep_one` the
    first row of every class comes before all others (a cap); without it the last row of every class
    comes after all others (a cut leaves it in train).
    """
    order = np.random.default_rng([seed, _STREAMS[purpose]]).permutation(rows)
    if labels is None:
        return order
    size = Counter(labels)
    seen: Counter[str] = Counter()
    place = np.empty(rows)
    for index in order.tolist():
        label = labels[index]
        place[index] = (seen[label] + 0.5) / size[label]
        if keep_one and not seen[label]:
            place[index] = -1
        elif not keep_one and seen[label] == size[label] - 1:
            place[index] = 1
        seen[label] += 1
    return order[np.argsort(place[order], kind="stable")]

"""Training, validation and test rows: missing splits are cut from train, shared texts removed, rows capped.

Validation chooses, test measures once: neither is ever cut from the other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

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
    max_train_rows: int | None = None,
    max_validation_rows: int | None = None,
    max_test_rows: int | None = None,
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Train, validation and test rows, disjoint in their texts, and notes on what was done.

    A missing validation or test split is 10 % of train, drawn with `seed`, and stratified where the rows
    carry labels. Rows of train whose text is also in validation or test are removed from train, rows of
    validation whose text is also in test from validation. Caps sample with `seed`, keep the order and
    at least one row of every class; a smaller cap takes a subset of what a larger one takes.

    Raises:
        DataError: no train split, or too few rows to cut from or to go on with.
    """
    if "train" not in given:
        raise DataError(f"there is no train split, only {', '.join(given) or 'nothing'}", hint="name a file train.*")
    splits = dict(given)
    notes: list[str] = []
    missing = [split for split in ("test", "validation") if split not in splits]
    whole = len(splits["train"])
    for split in missing:
        count = round(HELD_OUT_SHARE * whole) or 1
        if whole < _LEAST_ROWS:
            raise DataError(
                f"{whole} rows of train are too few to cut a {split} split from",
                hint=f"give {_LEAST_ROWS} rows or more, or a {split} split",
            )
        splits["train"], splits[split] = _cut(splits["train"], count, seed, split)
        notes.append(f"{split}: {count} rows cut from train (10 %, seed {seed})")
    notes += _remove_shared(splits)
    caps = {"train": max_train_rows, "validation": max_validation_rows, "test": max_test_rows}
    for split in SPLITS:
        notes += _cap(splits, split, caps[split], seed)
        if not len(splits[split]):
            raise DataError(f"the {split} split has no row left", hint="give more rows, or raise the cap on rows")
    return {split: splits[split] for split in SPLITS}, tuple(notes)


def _cut(rows: Rows, count: int, seed: int, purpose: str) -> tuple[Rows, Rows]:
    """(what stays, the `count` rows cut out)."""
    taken = _sample(rows.labels, len(rows), count, seed, purpose, keep_one=False)
    stays = np.setdiff1d(np.arange(len(rows)), taken)
    return rows.select(stays), rows.select(taken)


def _cap(splits: dict[str, Rows], split: str, most: int | None, seed: int) -> list[str]:
    rows = splits[split]
    if most is None or len(rows) <= most:
        return []
    splits[split] = rows.select(_sample(rows.labels, len(rows), most, seed, "cap", keep_one=True))
    return [f"{split}: {most} of {len(rows)} rows drawn (seed {seed})"]


def _sample(
    labels: Sequence[str] | None, rows: int, count: int, seed: int, purpose: str, *, keep_one: bool
) -> npt.NDArray[np.int64]:
    """`count` ascending indices, in proportion to the labels.

    Every row gets a place in (0, 1) within its class: the k-th of n at (k - 1/2) / n. The rows with the
    lowest places are taken, which is proportional to a row, and nested in `count`. With `keep_one` the
    first row of every class comes before all others (a cap); without it the last row of every class
    comes after all others (a cut leaves it in train).
    """
    order = np.random.default_rng([seed, _STREAMS[purpose]]).permutation(rows)
    if labels is None:
        return np.sort(order[:count])
    size = Counter(labels)
    seen: Counter[str] = Counter()
    place = np.empty(rows)
    for index in order:
        label = labels[index]
        place[index] = (seen[label] + 0.5) / size[label]
        if keep_one and not seen[label]:
            place[index] = -1
        elif not keep_one and seen[label] == size[label] - 1:
            place[index] = 1
        seen[label] += 1
    return np.sort(order[np.argsort(place[order], kind="stable")][:count])


def _remove_shared(splits: dict[str, Rows]) -> list[str]:
    notes = []
    test = set(splits["test"].identities())
    held_out = {"validation": test, "train": test | set(splits["validation"].identities())}
    for split, elsewhere in held_out.items():
        rows = splits[split]
        kept = [index for index, key in enumerate(rows.identities()) if key not in elsewhere]
        if len(kept) < len(rows):
            others = "test" if split == "validation" else "validation or test"
            notes.append(f"{split}: {len(rows) - len(kept)} rows removed whose text is also in {others}")
            splits[split] = rows.select(kept)
    return notes

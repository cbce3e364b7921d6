"""Which rows make a batch, and how they become tensors: pure functions of (seed, epoch, step).

Shapes: B rows, L tokens of the longest row rounded up, T tokens of the longest target.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autopeft.data.task_data import EncodedSplit, Ragged

if TYPE_CHECKING:
    import torch

Indices = npt.NDArray[np.int64]

IGNORED = -100
# Tensor cores and vectorised kernels like multiples of eight; so few shapes also keep caches warm.
PAD_MULTIPLE = 8
_BATCHES_IN_A_BUCKET = 50


def training_order(n_rows: int, lengths: Indices, batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """The batches of one epoch, every row once, rows of like length together.

    Rows are shuffled, sorted by length within buckets of 50 batches, cut into batches, and the batches
    shuffled: the order is random at the scale of the loss, and little is spent on padding.

    Args:
        n_rows: in the split.
        lengths: tokens of every row, (n_rows,).
        batch_size: rows in a batch; the last one cut may have fewer.
        seed: of the trial.
        epoch: from 0.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(n_rows)
    bucket = batch_size * _BATCHES_IN_A_BUCKET
    batches: list[Indices] = []
    for start in range(0, n_rows, bucket):
        rows = order[start : start + bucket]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


class TrainingOrder:
    """The endless sequence of training batches of a trial; any step can be asked for, in any order."""

    def __init__(self, lengths: Indices, batch_size: int, seed: int) -> None:
        """Keep what decides the order.

        Args:
            lengths: tokens of every training row.
            batch_size: rows in one optimizer step.
            seed: of the trial.
        """
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._epoch = lru_cache(maxsize=2)(
            lambda epoch: training_order(len(self._lengths), self._lengths, batch_size, seed, epoch)
        )

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps that see every row once."""
        return steps_per_epoch(len(self._lengths), self._batch_size)

    def batch_at(self, step: int) -> Indices:
        """The rows of optimizer step `step` (from 0)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[position]


def steps_per_epoch(n_rows: int, batch_size: int) -> int:
    """Optimizer steps that see each of `n_rows` rows once."""
    return -(-n_rows // batch_size)


def evaluation_batches(lengths: Indices, batch_size: int, rows: Sequence[int] | Indices | None = None) -> list[Indices]:
    """Fixed batches over `rows` (by default all), longest first, ties by row number.

    The longest come first so that a lack of memory shows at once, not at the end.
    """
    chosen = np.arange(len(lengths)) if rows is None else np.asarray(rows, dtype=np.int64)
    ordered = chosen[np.lexsort((chosen, -np.asarray(lengths)[chosen]))]
    return [ordered[at : at + batch_size] for at in range(0, len(ordered), batch_size)]


def collate(
    split: EncodedSplit,
    rows: Sequence[int] | Indices,
    pad_id: int,
    *,
    max_length: int | None = None,
    max_target_length: int | None = None,
) -> "dict[str, torch.Tensor]":
    """Tensors for the model's forward, padded on the right to a multiple of eight (within the limits).

    Returns:
        `input_ids`, `attention_mask`: (B, L) int64, or (B, choices, L); `token_type_ids` likewise where the split has
        them; `labels`: (B,) classes or numbers, (B, labels) 0 and 1, (B, L) one a token, or (B, T) the target's;
        `start_positions`, `end_positions`: (B,). What is not to be predicted has -100 in token labels.
    """
    import torch

    sequences = _sequences(rows, split.choices)
    input_ids, mask = _padded(split.input_ids, sequences, pad_id, max_length)
    inputs = {"input_ids": input_ids, "attention_mask": mask}
    if split.token_type_ids is not None:
        inputs["token_type_ids"] = _padded(split.token_type_ids, sequences, 0, max_length)[0]
    if split.choices > 1:
        inputs = {name: array.reshape(len(rows), split.choices, -1) for name, array in inputs.items()}
    batch = inputs | _labels(split, rows, input_ids, mask, max_length, max_target_length)
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}


def collate_prompts(split: EncodedSplit, rows: Sequence[int] | Indices, pad_id: int) -> "dict[str, torch.Tensor]":
    """What a decoder writes its answers after: each row up to its first target, padded on the left; (B, L) int64."""
    import torch

    assert split.token_labels is not None  # of tasks whose answers are written
    kept = [split.input_ids[row][: _first_target(split.token_labels[row])] for row in map(int, rows)]
    width = max(1, max(len(part) for part in kept))
    ids = np.full((len(kept), width), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, part in enumerate(kept):
        ids[index, width - len(part) :] = part
        mask[index, width - len(part) :] = 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def _first_target(labels: npt.NDArray[np.int32]) -> int:
    targets = np.flatnonzero(labels != IGNORED)
    return int(targets[0]) if len(targets) else len(labels)


def _sequences(rows: Sequence[int] | Indices, choices: int) -> Sequence[int] | Indices:
    """Where the sequences of the rows stand in the flat array."""
    if choices == 1:
        return rows
    return (np.asarray(rows)[:, None] * choices + np.arange(choices)).ravel()


def _labels(
    split: EncodedSplit,
    rows: Sequence[int] | Indices,
    input_ids: Indices,
    mask: Indices,
    max_length: int | None,
    max_target_length: int | None,
) -> dict[str, npt.NDArray[Any]]:
    if split.labels is not None:
        return {"labels": np.asarray(split.labels)[np.asarray(rows)]}
    if split.positions is not None:
        first_and_last = np.asarray(split.positions)[np.asarray(rows)]
        return {"start_positions": first_and_last[:, 0], "end_positions": first_and_last[:, 1]}
    if split.targets is not None:
        return {"labels": _padded(split.targets, rows, IGNORED, max_target_length)[0]}
    if split.token_labels is not None:
        # Below zero lie words that count in the metric but have no class to learn.
        labels = _padded(split.token_labels, rows, IGNORED, max_length)[0]
        return {"labels": np.where(labels < 0, IGNORED, labels)}
    return {"labels": np.where(mask == 1, input_ids, IGNORED)}


def _padded(ragged: Ragged, rows: Sequence[int] | Indices, fill: int, limit: int | None) -> tuple[Indices, Indices]:
    """Rows as a rectangle, and 1 where it holds a token."""
    parts = [ragged[int(row)] for row in rows]
    longest = max(len(part) for part in parts)
    width = -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE
    width = max(longest, min(width, limit or width))
    filled = np.full((len(parts), width), fill, dtype=np.int64)
    mask = np.zeros_like(filled)
    for index, part in enumerate(parts):
        filled[index, : len(part)] = part
        mask[index, : len(part)] = 1
    return filled, mask

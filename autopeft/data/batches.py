"""Which rows make a batch, and how they become tensors: pure functions of (seed, epoch, step).

Shapes: B rows, L tokens of the longest row rounded up, T tokens of the longest target.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

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
        `input_ids`, `attention_mask`: (B, L) int64; `token_type_ids` (B, L) where the split has them;
        `labels`: (B,) classes, or (B, L) the tokens themselves for a causal language model, or (B, T) the
        target's; padding in token labels is -100.
    """
    import torch

    input_ids, mask = _padded(split.input_ids, rows, pad_id, max_length)
    batch = {"input_ids": input_ids, "attention_mask": mask}
    if split.token_type_ids is not None:
        batch["token_type_ids"] = _padded(split.token_type_ids, rows, 0, max_length)[0]
    if split.labels is not None:
        batch["labels"] = np.asarray(split.labels)[np.asarray(rows)]
    elif split.targets is not None:
        batch["labels"] = _padded(split.targets, rows, IGNORED, max_target_length)[0]
    else:
        batch["labels"] = np.where(mask == 1, input_ids, IGNORED)
    return {name: torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)) for name, array in batch.items()}


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

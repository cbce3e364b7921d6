"""Encoded rows, ready for batches: flat arrays that can be mapped from disk."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autopeft.errors import RunError

if TYPE_CHECKING:
    import torch

FORMAT = 2
_META = "data.json"


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of differing length in one flat array.

    Attributes:
        values: all rows, one after the other; (sum of lengths,) int32.
        offsets: where each row begins, and the end; (rows + 1,) int64.
    """

    values: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        """From one sequence a row."""
        offsets = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
        values = np.fromiter((token for row in rows for token in row), dtype=np.int32, count=int(offsets[-1]))
        return cls(values, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Of every row; (rows,)."""
        return np.diff(self.offsets)

    def cut_to(self, tokens: int) -> "Ragged":
        """Every row's first `tokens` entries."""
        kept = np.minimum(self.lengths, tokens)
        offsets = np.concatenate(([0], np.cumsum(kept)))
        # For each kept entry, its place in its row plus the row's old beginning.
        places = np.arange(int(offsets[-1])) - np.repeat(offsets[:-1], kept) + np.repeat(self.offsets[:-1], kept)
        return Ragged(self.values[places], offsets)

    def replaced(self, rows: Mapping[int, Sequence[int]]) -> "Ragged":
        """With other content in these rows (from 0)."""
        if not rows:
            return self
        parts: list[Any] = []
        lengths = self.lengths.copy()
        before = 0
        for row in sorted(rows):
            parts += [self.values[self.offsets[before] : self.offsets[row]], np.asarray(rows[row], dtype=np.int32)]
            lengths[row] = len(rows[row])
            before = row + 1
        parts.append(self.values[self.offsets[before] :])
        return Ragged(np.concatenate(parts).astype(np.int32), np.concatenate(([0], np.cumsum(lengths))))


_RAGGED = ("input_ids", "token_type_ids", "targets", "token_labels", "offsets", "references")
_FLAT = ("labels", "positions", "row_bytes")


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One split as numbers.

    Attributes:
        input_ids: tokens of every row; of a multiple choice, of each of its `choices` one after the other.
        token_type_ids: 0 and 1 for the two texts of a pair; None where the model takes none.
        labels: class of every row, (rows,) int64; its number, (rows,) float32; 0 or 1 for each label, (rows, labels)
            float32; None where a row has no such label.
        targets: tokens of the target text, for an encoder-decoder.
        token_labels: for every token of `input_ids` what is to be predicted of it (a tag) or at it (the token itself,
            where it belongs to an answer), -100 for nothing.
        positions: first and last token of the answer, (rows, 2) int64; 0 and 0 where there is none.
        offsets: for every token the characters of the context that it covers, begin and end by turns; -1 outside of it.
        references: the row's true answer as JSON in UTF-8 bytes, where it cannot be told from the arrays.
        row_bytes: UTF-8 bytes of the text that the row's targets stand for, (rows,) float64.
        choices: sequences in a row.
    """

    input_ids: Ragged
    token_type_ids: Ragged | None = None
    labels: npt.NDArray[Any] | None = None
    targets: Ragged | None = None
    token_labels: Ragged | None = None
    positions: npt.NDArray[np.int64] | None = None
    offsets: Ragged | None = None
    references: Ragged | None = None
    row_bytes: npt.NDArray[np.float64] | None = None
    choices: int = 1

    def __len__(self) -> int:
        return len(self.input_ids) // self.choices

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """What a row costs: its tokens, source and target together; (rows,)."""
        own = self.input_ids.lengths
        if self.choices > 1:
            own = own.reshape(-1, self.choices).max(axis=1)
        return own if self.targets is None else own + self.targets.lengths

    def reference(self, row: int) -> Any:
        """The true answer of a row (from 0)."""
        assert self.references is not None  # asked only of tasks that keep them
        return json.loads(bytes(self.references[row].astype(np.uint8)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Name -> array, as `save` writes them."""
        named: dict[str, npt.NDArray[Any]] = {"choices": np.asarray([self.choices])}
        for name in _RAGGED:
            ragged: Ragged | None = getattr(self, name)
            if ragged is not None:
                named |= {f"{name}.values": ragged.values, f"{name}.offsets": ragged.offsets}
        return named | {name: getattr(self, name) for name in _FLAT if getattr(self, name) is not None}

    @classmethod
    def from_arrays(cls, named: Mapping[str, npt.NDArray[Any]]) -> "EncodedSplit":
        """The inverse of `arrays`."""
        kept = [name for name in _RAGGED if f"{name}.values" in named]
        ragged: dict[str, Any] = {name: Ragged(named[f"{name}.values"], named[f"{name}.offsets"]) for name in kept}
        flat: dict[str, Any] = {name: named[name] for name in _FLAT if name in named}
        return cls(choices=int(named["choices"][0]), **ragged, **flat)


@dataclass(frozen=True, slots=True)
class TaskData:
    """A data set, encoded for one task and tokenizer.

    Attributes:
        task: id.
        splits: `train`, `validation`, `test`.
        label_names: classes, tags or labels in the order of their numbers; empty for language models.
        max_length: tokens that a row has at most.
        max_target_length: tokens that a written answer has at most; None where nothing is written.
        pad_id: the token that fills a batch.
        fingerprint: sha256 over the texts and labels of all splits.
        truncated_rows: rows that were cut to the greatest length.
        columns: role -> column that it was read from.
        notes: what was done to the data, one sentence each.
        folder: where the arrays lie on disk; None when only in memory.
    """

    task: str
    splits: Mapping[str, EncodedSplit]
    label_names: tuple[str, ...]
    max_length: int
    pad_id: int
    fingerprint: str
    max_target_length: int | None = None
    truncated_rows: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def rows(self) -> dict[str, int]:
        """Split -> number of rows (blocks, for a causal language model)."""
        return {split: len(encoded) for split, encoded in self.splits.items()}

    @property
    def length_quantiles(self) -> dict[str, int]:
        """Tokens of a training row as it is trained on: half and 95 of 100 rows are no longer, and the longest."""
        median, high, longest = np.quantile(self.splits["train"].lengths, [0.5, 0.95, 1.0], method="higher")
        return {"median": int(median), "95 %": int(high), "longest": int(longest)}

    @property
    def outputs(self) -> int:
        """Outputs of the task's head: its labels; of a multiple choice the choices, of a single number one."""
        train = self.splits["train"]
        if train.choices > 1:
            return train.choices
        if train.labels is not None and not self.label_names:
            return 1
        return max(2, len(self.label_names))

    @property
    def label_rows(self) -> dict[str, int] | None:
        """Label -> training rows (tag -> training words) with it; None where there are no labels."""
        train = self.splits["train"]
        if not self.label_names:
            return None
        if train.labels is not None and train.labels.ndim == 2:
            counts = train.labels.sum(axis=0)
        else:
            numbers = train.labels if train.token_labels is None else train.token_labels.values
            assert numbers is not None  # what has label names has labels
            counts = np.bincount(numbers[numbers >= 0], minlength=len(self.label_names))
        return {name: int(count) for name, count in zip(self.label_names, counts, strict=True)}

    def batch(self, split: str, rows: Sequence[int] | npt.NDArray[np.int64]) -> "dict[str, torch.Tensor]":
        """The rows (from 0) of a split as tensors for the model's forward; see `batches.collate`."""
        from autopeft.data.batches import collate

        return collate(
            self.splits[split],
            rows,
            self.pad_id,
            max_length=self.max_length,
            max_target_length=self.max_target_length,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the `data` part of result.json, but for `batch_size`."""
        return {
            "rows": self.rows,
            "columns": dict(self.columns),
            "labels": self.label_rows,
            "max_length": self.max_length,
            "max_target_length": self.max_target_length,
            "lengths": self.length_quantiles,
            "truncated_rows": self.truncated_rows,
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
        }


def save_task_data(data: TaskData, folder: Path) -> TaskData:
    """Write the arrays and their description to `folder`, all or nothing, and map them from there.

    Raises:
        RunError: the folder cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for split, encoded in data.splits.items():
            for name, array in encoded.arrays().items():
                np.save(temporary / f"{split}.{name}.npy", array, allow_pickle=False)
        _write_synced(temporary / _META, json.dumps(_meta(data)))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if (folder / _META).is_file():  # another process wrote the same data first
            return load_task_data_from(folder)
        raise RunError(
            f"cannot write the encoded data to {folder}: {error}", hint="make room or name another folder"
        ) from error
    return load_task_data_from(folder)


def load_task_data_from(folder: Path) -> TaskData:
    """Map what `save_task_data` wrote.

    Raises:
        RunError: nothing is there, or it is damaged or of another version.
    """
    try:
        meta = json.loads((folder / _META).read_text("utf-8"))
        if meta.pop("format") != FORMAT:
            raise ValueError("another format")
        splits = {
            split: EncodedSplit.from_arrays(
                {name: np.load(folder / f"{split}.{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}
            )
            for split, names in meta.pop("arrays").items()
        }
        for name in ("label_names", "notes"):
            meta[name] = tuple(meta[name])
        return TaskData(splits=splits, folder=folder, **meta)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"cannot read the encoded data in {folder}: {error}", hint="delete the folder to encode again"
        ) from error


def _meta(data: TaskData) -> dict[str, Any]:
    plain = {name: getattr(data, name) for name in TaskData.__dataclass_fields__ if name not in ("splits", "folder")}
    return plain | {
        "format": FORMAT,
        "columns": dict(data.columns),
        "arrays": {split: list(encoded.arrays()) for split, encoded in data.splits.items()},
    }


def _write_synced(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())

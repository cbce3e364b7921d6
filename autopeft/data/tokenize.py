"""Texts to tokens, once per study: lengths chosen from the data, rows packed or truncated, arrays cached."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autopeft.data.labels import encode_labels
from autopeft.data.rows import Rows
from autopeft.data.task_data import (
    FORMAT,
    EncodedSplit,
    Ragged,
    TaskData,
    load_task_data_from,
    save_task_data,
)
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError, ModelError, RunError, UsageError

# Fits 99 of 100 training rows: the rest are cut rather than letting a few outliers set every cost.
LENGTH_PERCENTILE = 99
CAUSAL_BLOCK_TOKENS = 256
_LENGTH_MULTIPLE = 8
_CHUNK_ROWS = 2000
# transformers' stand-in for "no limit known" is 1e30.
_UNLIMITED = 10**9

Tokens = list[list[int]]


@dataclass(frozen=True, slots=True)
class _Encoder:
    """A tokenizer and what decides its output beside the texts."""

    tokenizer: Any
    limit: int
    filler: int

    def __call__(self, texts: Sequence[str], pairs: Sequence[str] | None = None, **options: Any) -> dict[str, Tokens]:
        """`input_ids` and, where the tokenizer gives them, `token_type_ids`; no row is empty."""
        gathered: dict[str, Tokens] = {"input_ids": [], "token_type_ids": []}
        for at in range(0, len(texts), _CHUNK_ROWS):
            part = slice(at, at + _CHUNK_ROWS)
            second = [] if pairs is None else [list(pairs[part])]
            encoded = self.tokenizer(
                list(texts[part]),
                *second,
                **({"truncation": False, "padding": False, "verbose": False} | options),
            )
            for name, rows in gathered.items():
                rows += encoded.get(name, [])
        gathered["input_ids"] = [row or [self.filler] for row in gathered["input_ids"]]
        if len(gathered["token_type_ids"]) == len(texts):
            types = zip(gathered["token_type_ids"], gathered["input_ids"], strict=True)
            gathered["token_type_ids"] = [row or [0] * len(ids) for row, ids in types]
        return gathered


def tokenize(
    splits: Mapping[str, Rows],
    task: TaskSpec,
    tokenizer: Any,
    max_length: int | None = None,
    cache_dir: Path | None = None,
    *,
    label_names: Sequence[str] = (),
    model_limit: int | None = None,
    accepted_arguments: Collection[str] | None = None,
) -> TaskData:
    """Encode all splits for a task.

    Args:
        splits: `train`, `validation`, `test`.
        task: decides the form: classification, packed blocks, or source and target.
        tokenizer: of transformers. Where it has no padding token, its end token becomes that.
        max_length: tokens of a row (of a block, for a causal language model). By default the 99th
            percentile of the training rows, rounded up to a multiple of 8 and within the model's limit;
            for a causal language model 256 or the limit.
        cache_dir: where the arrays are kept and found again; None keeps them in memory.
        label_names: classes of a classification, in the order of their numbers.
        model_limit: positions that the model has; None when its config names none.
        accepted_arguments: names that the model's forward takes; None takes all.

    Raises:
        UsageError: `max_length` is beyond the model's limit, or below 1.
        ModelError: the tokenizer has neither a padding nor an end token.
        DataError: too few tokens for a language model, or a label that `label_names` lacks.
        RunError: `cache_dir` cannot be written.
    """
    encoder = _Encoder(tokenizer, _limit(tokenizer, model_limit), padding_id(tokenizer))
    _require_length(max_length, encoder.limit)
    fingerprint = fingerprint_of(splits)
    types = accepted_arguments is None or "token_type_ids" in accepted_arguments
    folder = None
    if cache_dir is not None:
        settings = [
            FORMAT,
            fingerprint,
            task.head,
            _tokenizer_key(tokenizer),
            max_length,
            encoder.limit,
            types,
        ]
        folder = cache_dir / hashlib.sha256(json.dumps([*settings, *label_names]).encode()).hexdigest()[:16]
        try:
            return load_task_data_from(folder)
        except RunError:
            pass  # not there yet, or cut short: encoded anew below
    data = TaskData(
        task=task.id,
        splits={},
        label_names=tuple(label_names),
        max_length=max_length or 0,
        pad_id=encoder.filler,
        fingerprint=fingerprint,
    )
    if task.head == "causal-lm":
        data = _packed(data, splits, encoder, max_length)
    elif task.head == "seq2seq-lm":
        data = _source_and_target(data, splits, encoder, max_length)
    else:
        data = _classification(data, splits, encoder, max_length, types)
    if data.truncated_rows:
        data = replace(data, notes=(f"{data.truncated_rows} rows were cut to {data.max_length} tokens",))
    return data if folder is None else save_task_data(data, folder)


def _require_length(max_length: int | None, limit: int) -> None:
    if max_length is not None and not 1 <= max_length <= limit:
        raise UsageError(
            f"the model takes from 1 to {limit} tokens in a row, not {max_length}",
            hint=f"give --max-length {limit} or less, or leave it out to take it from the data",
        )


def padding_id(tokenizer: Any) -> int:
    """The padding token's id; a tokenizer without one takes its end token (or unknown token) for it.

    Raises:
        ModelError: it has none of them.
    """
    if tokenizer.pad_token_id is None:
        stand_in = tokenizer.eos_token or tokenizer.unk_token
        if stand_in is None:
            raise ModelError(
                "the tokenizer has neither a padding nor an end token",
                hint="set pad_token in tokenizer_config.json",
            )
        tokenizer.pad_token = stand_in
    return int(tokenizer.pad_token_id)


def fingerprint_of(splits: Mapping[str, Rows]) -> str:
    """sha256 over split names, texts and labels: the same data has the same fingerprint anywhere."""
    digest = hashlib.sha256()
    for split, rows in splits.items():
        content = [split, {role: list(column) for role, column in rows.texts.items()}, rows.labels]
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()


def _limit(tokenizer: Any, model_limit: int | None) -> int:
    return int(min(tokenizer.model_max_length, model_limit or _UNLIMITED, _UNLIMITED))


def _tokenizer_key(tokenizer: Any) -> str:
    """What identifies a tokenizer's behaviour."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    inner = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    special = json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str)
    return hashlib.sha256(f"{type(tokenizer).__name__}|{inner}|{special}".encode()).hexdigest()


def _length_from(rows: Iterable[Sequence[int]], limit: int) -> int:
    """The 99th percentile of the lengths, rounded up to a multiple of eight, within the limit."""
    wanted = float(np.percentile([len(row) for row in rows], LENGTH_PERCENTILE))
    return min(limit, int(-(-wanted // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE))


def _classification(
    data: TaskData,
    splits: Mapping[str, Rows],
    encoder: _Encoder,
    max_length: int | None,
    types: bool,
) -> TaskData:
    encoded = {split: encoder(rows.texts["text"], rows.texts.get("text_pair")) for split, rows in splits.items()}
    most = max_length or _length_from(encoded["train"]["input_ids"], encoder.limit)
    labels = encode_labels(splits, data.label_names)
    done: dict[str, EncodedSplit] = {}
    truncated = 0
    for split, rows in splits.items():
        truncated += _truncate(encoded[split], rows.texts["text"], rows.texts.get("text_pair"), encoder, most)
        types_of_split = encoded[split]["token_type_ids"]
        # All zero is what every model takes by default.
        useful = types and any(any(row) for row in types_of_split)
        done[split] = EncodedSplit(
            Ragged.of(encoded[split]["input_ids"]),
            Ragged.of(types_of_split) if useful else None,
            np.asarray(labels[split], dtype=np.int64),
        )
    return replace(data, splits=done, max_length=most, truncated_rows=truncated)


def _truncate(
    encoded: dict[str, Tokens],
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    encoder: _Encoder,
    most: int,
) -> int:
    """Encode rows that are longer than `most` again, cut by the tokenizer so that special tokens stay."""
    long = [index for index, row in enumerate(encoded["input_ids"]) if len(row) > most]
    if not long:
        return 0
    second = None if pairs is None else [pairs[index] for index in long]
    short = encoder([texts[index] for index in long], second, truncation=True, max_length=most)
    for name, rows in short.items():
        for index, row in zip(long, rows, strict=False):
            encoded[name][index] = row
    return len(long)


def _source_and_target(
    data: TaskData, splits: Mapping[str, Rows], encoder: _Encoder, max_length: int | None
) -> TaskData:
    sides: dict[str, dict[str, dict[str, Tokens]]] = {
        role: {split: encoder(rows.texts[role]) for split, rows in splits.items()} for role in ("source", "target")
    }
    most = {role: _length_from(encoded["train"]["input_ids"], encoder.limit) for role, encoded in sides.items()}
    most["source"] = max_length or most["source"]
    cut_rows: set[tuple[str, int]] = set()
    for role, of_splits in sides.items():
        for split, encoded in of_splits.items():
            cut_rows |= {(split, i) for i, row in enumerate(encoded["input_ids"]) if len(row) > most[role]}
            _truncate(encoded, splits[split].texts[role], None, encoder, most[role])
    done = {
        split: EncodedSplit(
            Ragged.of(sides["source"][split]["input_ids"]),
            targets=Ragged.of(sides["target"][split]["input_ids"]),
        )
        for split in splits
    }
    return replace(
        data,
        splits=done,
        max_length=most["source"],
        max_target_length=most["target"],
        truncated_rows=len(cut_rows),
    )


def _packed(data: TaskData, splits: Mapping[str, Rows], encoder: _Encoder, max_length: int | None) -> TaskData:
    block = max_length or min(encoder.limit, CAUSAL_BLOCK_TOKENS)
    done = {}
    for split, rows in splits.items():
        done[split] = EncodedSplit(_blocks(encoder, rows.texts["text"], block))
        if not len(done[split]):
            raise DataError(f"the texts of the {split} split give no two tokens", hint="give more text")
    return replace(data, splits=done, max_length=block)


def _blocks(encoder: _Encoder, texts: Sequence[str], block: int) -> Ragged:
    """Documents in a row, each closed by the end token, cut into blocks; the last may be shorter."""
    end = encoder.tokenizer.eos_token_id
    flat: list[int] = []
    for row in encoder(texts)["input_ids"]:
        flat += row
        if end is not None and row[-1] != end:
            flat.append(end)
    whole = len(flat) // block * block
    # One token alone predicts nothing.
    stop = len(flat) if len(flat) - whole >= 2 else whole
    offsets = np.append(np.arange(0, stop, block), stop)
    return Ragged(np.asarray(flat[:stop], dtype=np.int32), offsets.astype(np.int64))

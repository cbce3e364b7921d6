"""Rows to tokens, once per study: one encoder for each kind of task, the arrays cached."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from autopeft.data.encode_chat import encode_chat
from autopeft.data.encode_inputs import encode_choices, encode_classes, encode_label_sets, encode_numbers
from autopeft.data.encode_spans import encode_spans
from autopeft.data.encode_tags import encode_tags
from autopeft.data.encode_text import encode_text
from autopeft.data.encode_writing import encode_prompt_and_answer, encode_source_and_target
from autopeft.data.encoder import Encoder
from autopeft.data.fingerprint import fingerprint_of
from autopeft.data.rows import Rows
from autopeft.data.task_data import FORMAT, TaskData, load_task_data_from, save_task_data
from autopeft.domain.tasks import Objective, TaskSpec
from autopeft.errors import RunError, UsageError

Encode = Callable[[TaskData, Mapping[str, Rows], Encoder, int | None], TaskData]

_ENCODERS: dict[Objective, Encode] = {
    "classification": encode_classes,
    "multi-label": encode_label_sets,
    "regression": encode_numbers,
    "choice": encode_choices,
    "tagging": encode_tags,
    "span": encode_spans,
    "language-model": encode_text,
    "chat": encode_chat,
}


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
        task: decides the form: see the modules `encode_*`.
        tokenizer: of transformers. Where it has no padding token, its end token becomes that.
        max_length: tokens of a row (of a block, for a causal language model). By default the 99th
            percentile of the training rows, rounded up to a multiple of 8 and within the model's limit;
            for a causal language model 256 or the limit.
        cache_dir: where the arrays are kept and found again; None keeps them in memory.
        label_names: classes, labels or tags, in the order of their numbers.
        model_limit: positions that the model has; None when its config names none.
        accepted_arguments: names that the model's forward takes; None takes all.

    Raises:
        UsageError: `max_length` is beyond the model's limit, or below 1.
        ModelError: the tokenizer has neither a padding nor an end token, or cannot say what the task needs to know.
        DataError: too few tokens for a language model, or a label that `label_names` lacks.
        RunError: `cache_dir` cannot be written.
    """
    encoder = Encoder.of(tokenizer, model_limit)
    _require_length(max_length, encoder.limit)
    fingerprint = fingerprint_of(splits)
    types = accepted_arguments is None or "token_type_ids" in accepted_arguments
    folder = None
    if cache_dir is not None:
        settings = [FORMAT, fingerprint, _task_key(task), _tokenizer_key(tokenizer), max_length, encoder.limit, types]
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
    data = _encoder(task)(data, splits, encoder, max_length)
    if task.objective == "generation":
        data = replace(data, label_names=())  # labels are written out as words
    if not types:
        data = replace(data, splits={s: replace(split, token_type_ids=None) for s, split in data.splits.items()})
    if data.truncated_rows:
        data = replace(data, notes=(f"{data.truncated_rows} rows were cut to {data.max_length} tokens", *data.notes))
    return data if folder is None else save_task_data(data, folder)


def _encoder(task: TaskSpec) -> Encode:
    if task.objective != "generation":
        return _ENCODERS[task.objective]
    if task.head == "seq2seq-lm":
        return partial(encode_source_and_target, task=task)
    return partial(encode_prompt_and_answer, task=task)


def _require_length(max_length: int | None, limit: int) -> None:
    if max_length is not None and not 1 <= max_length <= limit:
        raise UsageError(
            f"the model takes from 1 to {limit} tokens in a row, not {max_length}",
            hint=f"give --max-length {limit} or less, or leave it out to take it from the data",
        )


def _task_key(task: TaskSpec) -> list[Any]:
    """What of a task decides the arrays."""
    return [task.objective, task.head, *task.templates, *sorted(task.answer_words.items())]


def _tokenizer_key(tokenizer: Any) -> str:
    """What identifies a tokenizer's behaviour."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    inner = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    special = json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str)
    template = getattr(tokenizer, "chat_template", None)
    return hashlib.sha256(f"{type(tokenizer).__name__}|{inner}|{special}|{template}".encode()).hexdigest()

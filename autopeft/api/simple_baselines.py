"""Guesses that need no model, scored as the winner is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autopeft.data.answer_scores import answer_scores
from autopeft.data.guesses import Guess, guesses
from autopeft.data.load import PreparedData
from autopeft.data.metrics import score
from autopeft.training.answers import true_tags
from autopeft.training.worker import Worker

EVALUATED = ("validation", "test")


def measure_guesses(worker: Worker, plain: PreparedData, seen: np.ndarray) -> list[dict[str, Any]]:
    """Entries of `baselines` in result.json; none for a task without guesses.

    Args:
        worker: task and encoded data.
        plain: the rows as they are.
        seen: training rows that a full-length run sees, from 0: what is commonest is counted in them.
    """
    splits = {"train": plain.rows["train"].select(seen)} | {split: plain.rows[split] for split in EVALUATED}
    found = guesses(worker.task, splits, worker.data.label_names)
    if found is None:
        return []
    true = {split: _within(worker, split, found.true[split]) for split in EVALUATED}
    return [_entry(worker, guess, true, len(seen)) for guess in found.guesses]


def _entry(worker: Worker, guess: Guess, true: Mapping[str, Sequence[Any]], train_rows: int) -> dict[str, Any]:
    told = {split: _within(worker, split, guess.answers[split]) for split in EVALUATED}
    metric = worker.task.metric
    return {
        "name": guess.name,
        "validation_metric": score(metric, true["validation"], told["validation"]),
        "test_metric": score(metric, true["test"], told["test"]),
        "train_rows": train_rows,
        "note": guess.note,
        "test_row_scores": list(answer_scores(worker.task, true["test"], told["test"])),
    }


def _within(worker: Worker, split: str, answers: Sequence[Any]) -> Sequence[Any]:
    """The answers as far as the model sees the rows: of a tagging, the words that were not cut off."""
    if worker.task.objective != "tagging":
        return answers
    encoded, names = worker.data.splits[split], worker.data.label_names
    return [list(tags[: len(true_tags(encoded, names, row))]) for row, tags in enumerate(answers)]

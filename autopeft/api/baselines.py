"""What the search is held against: measured on the rows that a full-length run of the first seed sees."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autopeft.api.simple_baselines import measure_guesses
from autopeft.data.answer_scores import answer_scores
from autopeft.data.baselines import LinearHead, linear_probe, majority, tfidf
from autopeft.data.load import PreparedData
from autopeft.data.metrics import score
from autopeft.data.probes import FittedProbe, label_set_probe, number_probe
from autopeft.domain.evaluation import Evaluation
from autopeft.domain.metrics import METRICS
from autopeft.training.evaluation import evaluate
from autopeft.training.features import Features, frozen_features
from autopeft.training.head_start import linear_head
from autopeft.training.scoring import metric_value
from autopeft.training.worker import Worker

EVALUATED = ("validation", "test")
# Logistic regression on frozen features gains little from more rows, and they all must pass through the base.
MOST_FEATURE_ROWS = 4096
_LANGUAGE_MODELS = ("language-model", "chat", "generation")
# The probe of a classification picks its strength by this where the metric is made of losses.
_OF_CLASSES = "accuracy"


@dataclass(frozen=True, slots=True)
class Baselines:
    """What was measured beside the search.

    Attributes:
        entries: of `baselines` in result.json.
        head: `weight` and `bias` that every run starts from, where the model's head is one linear layer.
        compute_seconds: in the base's forward.
    """

    entries: list[dict[str, Any]]
    head: dict[str, Tensor] = field(default_factory=dict)
    compute_seconds: float = 0.0


def measure_baselines(worker: Worker, plain: PreparedData, *, with_base: bool = True) -> Baselines:
    """Four baselines for a classification; guesses, and probes or the untuned base, for the other tasks.

    Args:
        worker: base, data and plan.
        plain: the data's texts and labels.
        with_base: whether those count that pass the data through the base, which fits on one device then.
    """
    objective = worker.task.objective
    if objective == "classification":
        found = _of_classes(worker, plain, with_base=with_base)
    elif not with_base:
        found = Baselines([])
    elif objective in _LANGUAGE_MODELS:
        began = time.perf_counter()
        found = Baselines([_untuned(worker)], compute_seconds=time.perf_counter() - began)
    elif objective in ("regression", "multi-label"):
        found = _fitted(worker)
    else:
        found = Baselines([])
    spec = METRICS.get(worker.task.metric)
    if spec and spec.of_losses:
        # Answers without probabilities have no loss; what was measured all the same gives the runs their head.
        return replace(found, entries=[entry for entry in found.entries if entry["name"] == _UNTUNED])
    return replace(found, entries=measure_guesses(worker, plain, seen_rows(worker)) + found.entries)


def _of_classes(worker: Worker, plain: PreparedData, *, with_base: bool) -> Baselines:
    metric = _class_metric(worker)
    seen = seen_rows(worker)
    everything = {split: np.arange(len(worker.data.splits[split])) for split in EVALUATED}
    chosen = {"train": seen} | everything
    labels = {split: np.asarray(plain.labels[split])[rows] for split, rows in chosen.items()}
    texts = {split: plain.texts[split].at(rows) for split, rows in chosen.items()}
    simple = [majority(labels, metric).to_dict()]
    if len(set(labels["train"])) < 2:
        # A full-length run is so short here that it meets one class only: nothing can be learned from its rows.
        return Baselines(simple)
    simple.append(tfidf(texts, labels, metric).to_dict())
    if not with_base:
        return Baselines(simple)
    probes = _probes(worker, plain, {"train": _thinned(seen, labels["train"])} | everything)
    return replace(probes, entries=simple + probes.entries)


def _class_metric(worker: Worker) -> str:
    spec = METRICS.get(worker.task.metric)
    return _OF_CLASSES if spec and spec.of_losses else worker.task.metric


def _probes(worker: Worker, plain: PreparedData, chosen: dict[str, np.ndarray]) -> Baselines:
    """Head only, on what the head is given; and a probe of the mean-pooled hidden states."""
    metric, classes = _class_metric(worker), len(plain.label_names)
    labels = {split: np.asarray(plain.labels[split])[rows] for split, rows in chosen.items()}
    features, compute_seconds = _features(worker, chosen)
    head = linear_probe({split: part.head_inputs for split, part in features.items()}, labels, metric, classes)
    pooled = linear_probe({split: part.mean_pooled for split, part in features.items()}, labels, metric, classes)
    note = head.score.note.replace("mean-pooled features", "inputs of the task head")
    starts = linear_head(worker) is not None
    if starts:
        note += f"; every run's head starts at {head.start_note}"
    entries = [
        head.score.to_dict() | {"name": "head only (frozen base)", "note": note},
        pooled.score.to_dict() | {"name": "linear probe (mean-pooled)"},
    ]
    return Baselines(entries, _state(head.start) if starts else {}, compute_seconds)


def _features(worker: Worker, chosen: Mapping[str, np.ndarray]) -> tuple[dict[str, Features], float]:
    began = time.perf_counter()
    return {s: frozen_features(worker, s, rows) for s, rows in chosen.items()}, time.perf_counter() - began


def _state(head: LinearHead) -> dict[str, Tensor]:
    return {name: torch.tensor(getattr(head, name), dtype=torch.float32) for name in ("weight", "bias")}


def _fitted(worker: Worker) -> Baselines:
    """Head only, and a probe of the mean-pooled hidden states, for numbers and for several labels a row."""
    seen = seen_rows(worker)
    kept = seen[:: -(-len(seen) // MOST_FEATURE_ROWS)]
    chosen = {"train": kept} | {split: np.arange(len(worker.data.splits[split])) for split in EVALUATED}
    labels = {split: _labels(worker, split)[rows] for split, rows in chosen.items()}
    features, compute_seconds = _features(worker, chosen)
    starts = linear_head(worker) is not None
    entries, head = [], {}
    for name, inputs in (("head only (frozen base)", "head_inputs"), ("linear probe (mean-pooled)", "mean_pooled")):
        probe = _fit(worker, {split: getattr(part, inputs) for split, part in features.items()}, labels)
        note = probe.note
        if starts and inputs == "head_inputs":
            head = _state(probe.start)
            note += "; every run's head starts near it"
        entries.append(_entry(worker, name, note, labels, probe.answers))
    return Baselines(entries, head, compute_seconds)


def _fit(worker: Worker, features: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> FittedProbe:
    if worker.task.objective == "regression":
        return number_probe(features, labels["train"], labels["validation"])
    return label_set_probe(features, labels["train"])


def _labels(worker: Worker, split: str) -> np.ndarray:
    labels = worker.data.splits[split].labels
    assert labels is not None  # of tasks with one number or several labels a row
    return np.asarray(labels, dtype=np.float64)


def _entry(
    worker: Worker, name: str, note: str, labels: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    if worker.task.objective == "regression":
        true = {split: labels[split].tolist() for split in EVALUATED}
        told: dict[str, list[Any]] = {split: answers[split][:, 0].tolist() for split in EVALUATED}
    else:
        true = {split: [tuple(row) for row in labels[split].astype(int).tolist()] for split in EVALUATED}
        told = {split: [tuple(row) for row in (answers[split] > 0).astype(int).tolist()] for split in EVALUATED}
    metric = worker.task.metric
    of_answers = not (metric in METRICS and METRICS[metric].of_losses)
    return {
        "name": name,
        "validation_metric": score(metric, true["validation"], told["validation"]) if of_answers else None,
        "test_metric": score(metric, true["test"], told["test"]) if of_answers else None,
        "train_rows": len(labels["train"]),
        "note": note,
        "test_row_scores": list(answer_scores(worker.task, true["test"], told["test"])),
    }


def _thinned(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """At most `MOST_FEATURE_ROWS` of the rows, evenly; all of them where that would lose a second class."""
    kept = slice(None, None, -(-len(rows) // MOST_FEATURE_ROWS))
    return rows if len(set(labels[kept])) < 2 else rows[kept]


def seen_rows(worker: Worker) -> np.ndarray:
    """The training rows that a full-length run of the first seed sees, ascending."""
    order = worker.training_order(worker.plan.seeds[0])
    steps = min(worker.plan.full_steps, order.steps_per_epoch)
    return np.unique(np.concatenate([order.batch_at(step) for step in range(steps)]))


_UNTUNED = "base model, untuned"


def _untuned(worker: Worker) -> dict[str, Any]:
    def measured(split: str) -> Evaluation:
        # In float32, as the winner is measured that it is compared with.
        return evaluate(
            worker.base,
            worker.evaluation(split),
            autocast=None,
            device=worker.device,
            reader=worker.reader(split),
        )

    validation, test = (measured(split) for split in EVALUATED)
    return {
        "name": _UNTUNED,
        "validation_metric": metric_value(worker.task.metric, validation),
        "test_metric": metric_value(worker.task.metric, test),
        "train_rows": 0,
        "note": "the pretrained model as it is",
        "test_row_scores": list(test.row_scores),
    }

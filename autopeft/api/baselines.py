"""What the search is held against: measured on the rows that a full-length run of the first seed sees."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autopeft.data.baselines import linear_probe, majority, tfidf
from autopeft.data.load import PreparedData
from autopeft.domain.evaluation import Evaluation
from autopeft.training.evaluation import evaluate
from autopeft.training.features import frozen_features
from autopeft.training.head_start import linear_head
from autopeft.training.scoring import metric_value
from autopeft.training.worker import Worker

EVALUATED = ("validation", "test")
# Logistic regression on frozen features gains little from more rows, and they all must pass through the base.
MOST_FEATURE_ROWS = 4096


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


def measure_baselines(worker: Worker, plain: PreparedData) -> Baselines:
    """Four baselines for a classification; the untuned base for language models."""
    if worker.data.splits["train"].labels is None:
        began = time.perf_counter()
        return Baselines([_untuned(worker)], compute_seconds=time.perf_counter() - began)
    metric = worker.task.metric
    seen = seen_rows(worker)
    everything = {split: np.arange(len(worker.data.splits[split])) for split in EVALUATED}
    chosen = {"train": seen} | everything
    labels = {split: np.asarray(plain.labels[split])[rows] for split, rows in chosen.items()}
    texts = {split: [plain.texts[split][row] for row in rows] for split, rows in chosen.items()}
    simple = [majority(labels, metric).to_dict()]
    if len(set(labels["train"])) < 2:
        # A full-length run is so short here that it meets one class only: nothing can be learned from its rows.
        return Baselines(simple)
    simple.append(tfidf(texts, labels, metric).to_dict())
    probes = _probes(worker, plain, {"train": _thinned(seen, labels["train"])} | everything)
    return replace(probes, entries=simple + probes.entries)


def _probes(worker: Worker, plain: PreparedData, chosen: dict[str, np.ndarray]) -> Baselines:
    """Head only, on what the head is given; and a probe of the mean-pooled hidden states."""
    metric, classes = worker.task.metric, len(plain.label_names)
    labels = {split: np.asarray(plain.labels[split])[rows] for split, rows in chosen.items()}
    began = time.perf_counter()
    features = {split: frozen_features(worker, split, rows) for split, rows in chosen.items()}
    compute_seconds = time.perf_counter() - began
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
    state = {name: torch.tensor(getattr(head.start, name), dtype=torch.float32) for name in ("weight", "bias")}
    return Baselines(entries, state if starts else {}, compute_seconds)


def _thinned(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """At most `MOST_FEATURE_ROWS` of the rows, evenly; all of them where that would lose a second class."""
    kept = slice(None, None, -(-len(rows) // MOST_FEATURE_ROWS))
    return rows if len(set(labels[kept])) < 2 else rows[kept]


def seen_rows(worker: Worker) -> np.ndarray:
    """The training rows that a full-length run of the first seed sees, ascending."""
    order = worker.training_order(worker.plan.seeds[0])
    steps = min(worker.plan.full_steps, order.steps_per_epoch)
    return np.unique(np.concatenate([order.batch_at(step) for step in range(steps)]))


def _untuned(worker: Worker) -> dict[str, Any]:
    def measured(split: str) -> Evaluation:
        # In float32, as the winner is measured that it is compared with.
        return evaluate(worker.base, worker.evaluation(split), autocast=None, device=worker.device)

    validation, test = (measured(split) for split in EVALUATED)
    return {
        "name": "base model, untuned",
        "validation_metric": metric_value(worker.task.metric, validation),
        "test_metric": metric_value(worker.task.metric, test),
        "train_rows": 0,
        "note": "the pretrained model as it is",
        "test_row_scores": list(test.row_scores),
    }

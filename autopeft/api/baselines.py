"""What the search is held against: measured on the rows that a full-length run of the first seed sees."""

from typing import Any

import numpy as np

from autopeft.data.baselines import linear_probe, majority, tfidf
from autopeft.data.load import PreparedData
from autopeft.domain.evaluation import Evaluation
from autopeft.training.evaluation import evaluate
from autopeft.training.features import frozen_features
from autopeft.training.scoring import metric_value
from autopeft.training.worker import Worker

EVALUATED = ("validation", "test")


def measure_baselines(worker: Worker, plain: PreparedData) -> list[dict[str, Any]]:
    """Entries of `baselines` in result.json: three for classifications, the untuned base for language models."""
    if worker.data.splits["train"].labels is None:
        return [_untuned(worker)]
    metric = worker.task.metric
    rows = seen_rows(worker)
    chosen = {"train": rows} | {split: np.arange(len(worker.data.splits[split])) for split in EVALUATED}
    labels = {split: np.asarray(plain.labels[split])[index] for split, index in chosen.items()}
    texts = {split: [plain.texts[split][row] for row in index] for split, index in chosen.items()}
    features = {split: frozen_features(worker, split, index) for split, index in chosen.items()}
    head = linear_probe({split: part.head_inputs for split, part in features.items()}, labels, metric).to_dict()
    pooled = linear_probe({split: part.mean_pooled for split, part in features.items()}, labels, metric).to_dict()
    head["name"] = "head only (frozen base)"
    head["note"] = head["note"].replace("mean-pooled features", "inputs of the task head")
    pooled["name"] = "linear probe (mean-pooled)"
    return [majority(labels, metric).to_dict(), tfidf(texts, labels, metric).to_dict(), head, pooled]


def seen_rows(worker: Worker) -> np.ndarray:
    """The training rows that a full-length run of the first seed sees, ascending."""
    order = worker.training_order(worker.plan.seeds[0])
    steps = min(worker.plan.full_steps, order.steps_per_epoch)
    return np.unique(np.concatenate([order.batch_at(step) for step in range(steps)]))


def _untuned(worker: Worker) -> dict[str, Any]:
    def measured(split: str) -> Evaluation:
        batches = worker.evaluation(split)
        return evaluate(worker.base, batches, autocast=worker.autocast, device=worker.device)

    validation, test = (metric_value(worker.task.metric, measured(split)) for split in EVALUATED)
    return {
        "name": "base model, untuned",
        "validation_metric": validation,
        "test_metric": test,
        "train_rows": 0,
        "note": "the pretrained model as it is",
    }

"""How long a step takes on this machine, measured once before the search."""

import time
from dataclasses import dataclass
from statistics import median

import torch

from autopeft.domain.trials import TrialSpec
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.training.evaluation import evaluate
from autopeft.training.worker import Worker

MEASURED_STEPS = 4
EVALUATED_BATCHES = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """Measured costs.

    Attributes:
        step_seconds: median of an optimizer step over batches of the training order.
        evaluation_row_seconds: mean of one evaluated row.
    """

    step_seconds: float
    evaluation_row_seconds: float


def probe(worker: Worker, spec: TrialSpec) -> Probe:
    """Time `spec` for a few steps and a few evaluation batches; the first of each only warms up."""
    with torch.random.fork_rng(devices=[]):
        model = worker.build(spec)
        optimizer = build_optimizer(model, spec.hyperparameters)
        order = worker.training_order(spec.seed)
        seconds = []
        for step in range(MEASURED_STEPS + 1):
            began = time.perf_counter()
            batch = worker.training_batch(order.batch_at(step))
            float(training_step(model, [batch], optimizer, autocast=worker.autocast))
            seconds.append(time.perf_counter() - began)
        return Probe(median(seconds[1:]), _row_seconds(worker, model))


def _row_seconds(worker: Worker, model: torch.nn.Module) -> float:
    """Seconds of one validation row, over batches taken evenly from the longest to the shortest."""
    batches = list(worker.evaluation("validation"))
    taken = batches[:: max(1, len(batches) // EVALUATED_BATCHES)][:EVALUATED_BATCHES]
    evaluate(model, taken[-1:], autocast=worker.autocast, device=worker.device)
    began = time.perf_counter()
    evaluate(model, taken, autocast=worker.autocast, device=worker.device)
    return (time.perf_counter() - began) / sum(len(rows) for rows, _ in taken)

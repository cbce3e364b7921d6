"""How long a step takes on this machine, measured once before the search."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from autopeft.domain.trials import TrialSpec
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.training.evaluation import evaluate
from autopeft.training.worker import Worker
from autopeft.training.writing import write

MEASURED_BATCHES = 4
EVALUATED_BATCHES = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """Measured costs.

    Attributes:
        step_seconds: mean of an optimizer step over batches of the training order.
        evaluation_row_seconds: mean of one evaluated row.
        writing_row_seconds: of one written answer beside that; 0 where none is written.
    """

    step_seconds: float
    evaluation_row_seconds: float
    writing_row_seconds: float = 0.0


def probe(worker: Worker, spec: TrialSpec) -> Probe:
    """Time `spec` for a few steps and a few evaluation batches; the first of each only warms up."""
    with torch.random.fork_rng(devices=[]):
        model = worker.build(spec)
        optimizer = build_optimizer(model, spec.hyperparameters)
        order = worker.training_order(spec.seed)
        batches = [worker.micro_batches(order.batch_at(step), spec.split) for step in range(MEASURED_BATCHES)]

        def train(micro_batches: list[dict[str, Tensor]]) -> None:
            float(training_step(model, micro_batches, optimizer, autocast=worker.autocast))

        train(batches[0])
        least = [_least_seconds(partial(train, micro_batches)) for micro_batches in batches]
        return Probe(sum(least) / len(least), _row_seconds(worker, model), _writing_row_seconds(worker, model))


def _row_seconds(worker: Worker, model: torch.nn.Module) -> float:
    """Seconds of one validation row, over batches taken evenly from the longest to the shortest."""
    batches = list(worker.evaluation("validation"))
    taken = batches[:: max(1, len(batches) // EVALUATED_BATCHES)][:EVALUATED_BATCHES]

    def run() -> None:
        evaluate(model, taken, autocast=worker.autocast, device=worker.device)

    return _least_seconds(run) / sum(len(rows) for rows, _ in taken)


def _writing_row_seconds(worker: Worker, model: torch.nn.Module) -> float:
    """Seconds of one written answer, over a batch of middling length; once, since it takes long."""
    reader = worker.reader("validation")
    if reader.writer is None:
        return 0.0
    batches = list(worker.evaluation("validation"))
    rows, _ = batches[len(batches) // 2]
    model.eval()
    began = time.perf_counter()
    write(model, worker.data.splits["validation"], rows, reader.writer)
    seconds = time.perf_counter() - began
    model.train()
    return seconds / len(rows)


def _least_seconds(work: Callable[[], None]) -> float:
    """The least of two runs: on a shared machine the other one may have waited for somebody else's work."""
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)

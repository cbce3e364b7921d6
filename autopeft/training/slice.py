"""One slice of one trial: from a checkpoint to a step, evaluated; a pure function of its inputs and a folder."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.plan import derived_seed
from autopeft.domain.trials import SliceResult, TrialSpec
from autopeft.errors import AutopeftError, RunError
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.training.checkpoint import load_checkpoint, save_checkpoint
from autopeft.training.device_memory import most_reserved_bytes, release_memory
from autopeft.training.evaluation import evaluate
from autopeft.training.schedule import learning_rate_scale, set_learning_rate
from autopeft.training.scoring import metric_standard_error, metric_value
from autopeft.training.worker import Worker

MeasureStep = Callable[[Callable[[], object]], int]
CURVE_POINTS_PER_SLICE = 8
# The second step (from 0) is the first of the steady state: optimizer moments exist from its beginning.
MEASURED_STEP = 1


class SliceAbandoned(Exception):
    """The slice was stopped in the middle; nothing of it was kept."""


class DivergedError(Exception):
    """The loss is no finite number."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Steps of a slice.

    Attributes:
        first: where training begins: at 0 where the state at `from_step` is lost.
        from_step: what was done before it.
        to_step: what will be done after it.
    """

    first: int
    from_step: int
    to_step: int


def run_slice(
    worker: Worker,
    spec: TrialSpec,
    folder: Path,
    *,
    from_step: int,
    to_step: int,
    should_stop: Callable[[], bool],
    measure_step: MeasureStep | None = None,
    restart: bool = False,
) -> SliceResult:
    """Train `spec` from its checkpoint at `from_step` to `to_step`, evaluate, write the new checkpoint.

    Every random draw derives from (seed, step), so a resumed trial goes on exactly. Where memory runs out, the slice
    is run once more with micro-batches half as large, and the result says so.

    Args:
        worker: base model, data and plan.
        spec: what to train.
        folder: of the trial; its `checkpoint/` holds the state.
        from_step: 0 starts from scratch.
        to_step: at `plan.full_steps` the whole validation split is evaluated, else the rung's sample.
        should_stop: asked before each step.
        measure_step: runs a step and gives the peak bytes of its tensors; used for a trial's second step.
        restart: the checkpoint at `from_step` is lost: train up to it once more; the result is as if it had been there.

    Returns:
        The result; what goes wrong inside the trial is in its `error`.

    Raises:
        SliceAbandoned: `should_stop` said so.
        DamagedStateError: the checkpoint cannot be used.
        RunError: the disk is full or not writable.
    """
    began = time.perf_counter()
    span = _Span(0 if restart else from_step, from_step, to_step)

    def attempt(spec: TrialSpec) -> SliceResult:
        return _attempt(worker, spec, folder, span, should_stop, measure_step, began)

    result = attempt(spec)
    lowered = spec.split.halved(worker.batch_share)
    # One of several processes cannot begin again by itself.
    if worker.ranks is not None or result.failure != "oom" or lowered is None:
        return result
    release_memory(worker.device)
    return attempt(replace(spec, split=lowered))


def _attempt(
    worker: Worker,
    spec: TrialSpec,
    folder: Path,
    span: _Span,
    should_stop: Callable[[], bool],
    measure_step: MeasureStep | None,
    began: float,
) -> SliceResult:
    """The slice with the split of `spec`; what goes wrong is in the result, and nothing of the model is left."""
    devices = [worker.device] if worker.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            return _train(worker, spec, folder, span, should_stop, measure_step, began)
    except (SliceAbandoned, RunError, KeyboardInterrupt):
        raise
    except Exception as error:  # a trial must never end the search
        result = _failure(error, folder, span.from_step, time.perf_counter() - began)
    return replace(
        result,
        accumulation=spec.split.accumulation,
        measured_peak_bytes=most_reserved_bytes(worker.device) if result.failure == "oom" else None,
    )


def _train(
    worker: Worker,
    spec: TrialSpec,
    folder: Path,
    span: _Span,
    should_stop: Callable[[], bool],
    measure_step: MeasureStep | None,
    began: float,
) -> SliceResult:
    model = worker.build(spec)
    optimizer = build_optimizer(model, spec.hyperparameters)
    from_step, to_step = span.from_step, span.to_step
    if span.first:
        load_checkpoint(folder / "checkpoint", span.first, model, optimizer)
    steps = _Steps(worker, spec, model, optimizer)
    began_steps = time.perf_counter()
    began_counting = steps.through(span, should_stop, measure_step)
    repeated_seconds = began_counting - began_steps
    # Reading the losses waits for the device: only then is the training done.
    curve = steps.curve_after(from_step, max(1, (to_step - from_step) // CURVE_POINTS_PER_SLICE))
    train_seconds = time.perf_counter() - began_counting
    evaluated = time.perf_counter()
    evaluation, metric = _evaluated(worker, model, to_step)
    metric_error = metric_standard_error(worker.task.metric, evaluation)
    evaluation_seconds = time.perf_counter() - evaluated
    save_checkpoint(folder / "checkpoint", to_step, model, optimizer, writes=worker.speaks)
    return SliceResult(
        to_step=to_step,
        validation_loss=evaluation.loss,
        validation_loss_standard_error=evaluation.loss_standard_error,
        validation_metric=metric,
        validation_metric_standard_error=metric_error if math.isfinite(metric_error or 0.0) else None,
        train_losses=curve,
        train_seconds=train_seconds,
        evaluation_seconds=evaluation_seconds,
        wall_seconds=time.perf_counter() - began - repeated_seconds,
        measured_peak_bytes=steps.measured_peak_bytes,
        trainable_parameters=count_parameters(model).trainable,
        row_scores=evaluation.row_scores if to_step == worker.plan.full_steps else (),
        accumulation=spec.split.accumulation,
    )


def _evaluated(worker: Worker, model: nn.Module, step: int) -> tuple[Evaluation, float | None]:
    """On the rung's sample, or at full length on the whole validation split; with the task's metric.

    Raises:
        DivergedError: the loss or the metric is no finite number.
    """
    rows = None if step == worker.plan.full_steps else worker.rung_rows
    batches = worker.evaluation("validation", rows)
    reader = worker.reader("validation", writes=rows is None)
    evaluation = evaluate(
        model, batches, autocast=worker.autocast, device=worker.device, reader=reader, ranks=worker.ranks
    )
    if not math.isfinite(evaluation.loss):
        raise DivergedError(f"the validation loss at step {step} is {evaluation.loss}")
    metric = metric_value(worker.task.metric, evaluation)
    if metric is not None and not math.isfinite(metric):
        raise DivergedError(f"the {worker.task.metric} at step {step} is {metric}")
    return evaluation, metric


class _Steps:
    """Runs optimizer steps and remembers their losses."""

    def __init__(self, worker: Worker, spec: TrialSpec, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._worker = worker
        self._spec = spec
        self._model = model
        self._optimizer = optimizer
        self._order = worker.training_order(spec.seed)
        self._losses: list[tuple[int, torch.Tensor]] = []
        self.measured_peak_bytes: int | None = None

    def through(self, span: _Span, should_stop: Callable[[], bool], measure_step: MeasureStep | None) -> float:
        """All of them; when, on `time.perf_counter`, those began which count.

        Raises:
            SliceAbandoned: `should_stop` said so.
        """
        began = time.perf_counter()
        for step in range(span.first, span.to_step):
            if self._stops(should_stop()):
                raise SliceAbandoned(f"trial {self._spec.number} at step {step}")
            if step == span.from_step:
                began = time.perf_counter()
            self.run(step, measure_step if step == MEASURED_STEP and span.from_step <= step else None)
        return began

    def run(self, step: int, measure_step: MeasureStep | None) -> None:
        """Optimizer step `step` (from 0)."""
        plan = self._worker.plan
        scale = learning_rate_scale(step, plan.full_steps, plan.warmup_share)
        set_learning_rate(self._optimizer.param_groups, float(self._spec.hyperparameters["learning_rate"]), scale)
        torch.manual_seed(self._drawn(step))
        batches = self._worker.micro_batches(self._order.batch_at(step), self._spec.split)

        def one_step() -> None:
            loss = training_step(
                self._model,
                batches,
                self._optimizer,
                autocast=self._worker.autocast,
                max_grad_norm=plan.max_grad_norm,
            )
            after_update(self._model, step + 1, plan.full_steps)
            self._losses.append((step + 1, loss))

        if measure_step is None:
            one_step()
        else:
            self.measured_peak_bytes = measure_step(one_step)

    def curve_after(self, from_step: int, every: int) -> tuple[tuple[int, float], ...]:
        """(step, mean training loss of the last `every` steps) pairs of the steps after `from_step`.

        Raises:
            DivergedError: a loss is not finite.
        """
        counted = [(step, loss) for step, loss in self._losses if step > from_step]
        values = list(zip((step for step, _ in counted), self._means([loss for _, loss in counted]), strict=True))
        bad = next((step for step, loss in values if not math.isfinite(loss)), None)
        if bad is not None:
            raise DivergedError(f"the training loss at step {bad} is not finite: try a lower learning rate")
        chunks = [values[at : at + every] for at in range(0, len(values), every)]
        return tuple((chunk[-1][0], math.fsum(loss for _, loss in chunk) / len(chunk)) for chunk in chunks)

    def _means(self, losses: list[torch.Tensor]) -> list[float]:
        """Over the processes that train together."""
        ranks = self._worker.ranks
        if ranks is None or not losses:
            return [float(loss) for loss in losses]
        means: list[float] = ranks.mean(torch.stack(losses)).tolist()
        return means

    def _stops(self, said: bool) -> bool:
        ranks = self._worker.ranks
        return said if ranks is None else ranks.agree(said)

    def _drawn(self, step: int) -> int:
        """The seed of a step: each of several processes draws its own dropout."""
        ranks = self._worker.ranks
        own = () if ranks is None or ranks.rank == 0 else (ranks.rank,)
        return derived_seed(self._spec.seed, "step", step, *own)


def _failure(error: Exception, folder: Path, from_step: int, wall_seconds: float) -> SliceResult:
    """The result of a slice that went wrong; the traceback goes to `error.txt` beside the events.

    Raises:
        RunError: the disk is full or not writable.
    """
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    text = error.message if isinstance(error, AutopeftError) else str(error)
    first_line = next(iter(text.strip().splitlines()), "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as full:
        message = f"cannot write to {folder}: {full.strerror}"
        raise RunError(message, hint="make room, then `autopeft resume`") from error
    return SliceResult.failed(
        from_step,
        f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__,
        wall_seconds=wall_seconds,
        failure="oom" if out_of_memory else "failed",
    )

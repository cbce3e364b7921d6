"""Hardware, time and money: what a device has, and what a step and a training set take on it."""

import math
from dataclasses import dataclass, replace

from autopeft.api.request import Request
from autopeft.catalog.contents import Catalog
from autopeft.domain.hardware import HardwareSpec
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import Estimator, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.units import parse_size_bytes
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.memory.roofline import seconds_per_step

# `--gpu-mem auto`: the free memory of the device at hand.
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """How much is to be trained, and what an hour of it costs.

    Attributes:
        rows: labelled examples, or None when unknown.
        epochs: passes over them.
        max_steps: the most optimizer steps, or None.
        price_per_hour: of the device, in any currency, or None when unknown.
    """

    rows: int | None = None
    epochs: float = 3
    max_steps: int | None = None
    price_per_hour: float | None = None

    def steps(self, sequences: int) -> int | None:
        """Optimizer steps of `sequences` rows each; None when the training set is unknown."""
        if self.rows is None:
            return self.max_steps
        steps = math.ceil(self.rows * self.epochs / sequences)
        return steps if self.max_steps is None else min(steps, self.max_steps)


class TimedEstimator:
    """An estimator whose estimates say how long a step takes; satisfies `autopeft.domain.memory.Estimator`.

    Args:
        estimator: predicts memory and work.
        hardware: that the steps run on.
        run: how much is to be trained.
    """

    def __init__(self, estimator: Estimator, hardware: HardwareSpec, run: TrainingRun) -> None:
        self._estimator = estimator
        self._hardware = hardware
        self._run = run

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        """The estimate with its times.

        Raises:
            ModelError: as the estimator that it stands on.
        """
        estimate = self._estimator(model, task, method, hyperparameters, shape)
        if estimate.work is None:
            return estimate
        seconds = seconds_per_step(estimate.work, self._hardware)
        assumed = f"time on {self._hardware.title}: each batch as long as the longest, nothing but training steps"
        timed = with_seconds(estimate, seconds, shape, self._run)
        return replace(timed, assumptions=(*timed.assumptions, assumed))


def with_seconds(estimate: MemoryEstimate, seconds: float, shape: StepShape, run: TrainingRun) -> MemoryEstimate:
    """The estimate with the time of a step and what follows from it.

    Args:
        estimate: of one optimizer step.
        seconds: that the step takes.
        shape: of the step on each device.
        run: how much is to be trained.
    """
    sequences = shape.batch_size * shape.accumulation * shape.gpus
    steps = run.steps(sequences)
    hours = None if steps is None else steps * seconds / 3600
    return replace(
        estimate,
        seconds_per_step=seconds,
        tokens_per_second=sequences * shape.max_length / seconds,
        training_hours=hours,
        training_cost=None if hours is None or run.price_per_hour is None else hours * run.price_per_hour * shape.gpus,
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how much is trained.

    Attributes:
        hardware: of the table, or None when none is named.
        run: how much is to be trained.
    """

    hardware: HardwareSpec | None = None
    run: TrainingRun = TrainingRun()

    def timed(self, estimator: Estimator) -> Estimator:
        """The estimator with times where hardware is named, else as it is."""
        return estimator if self.hardware is None else TimedEstimator(estimator, self.hardware, self.run)

    def budget_bytes(self, gpu_mem: str | int | None) -> int | None:
        """Bytes that training may use: as given, else those of the named device; None when neither is known.

        Args:
            gpu_mem: text like `24GB`, a number of bytes, `auto` for the free memory of the device at hand, or None.

        Raises:
            UsageError: it is no positive size.
            MissingDependencyError: `auto` without a GPU.
        """
        if gpu_mem is None:
            return None if self.hardware is None else self.hardware.usable_bytes
        if str(gpu_mem).strip().lower() == AUTO:
            return free_device_bytes()
        return parse_size_bytes(str(gpu_mem))


def probed(
    estimate: MemoryEstimate, request: Request, method: MethodSpec, hyperparameters: Hyperparameters, run: TrainingRun
) -> MemoryEstimate:
    """The estimate with the time of real steps on the device at hand in place of the predicted one.

    Raises:
        UsageError: the step cannot be run as it is asked for.
        ModelError: there are no weights.
        RunError: the device has too little memory.
    """
    from autopeft.memory.probe import MEASURED_STEPS, probe_step

    measured = probe_step(request.model, request.task, method, hyperparameters, request.shape, request.architecture)
    said = f"time: the median of {MEASURED_STEPS} real steps on {measured.device}, each batch as long as the longest"
    predicted = [text for text in estimate.assumptions if not text.startswith("time on ")]
    timed = with_seconds(estimate, measured.seconds_per_step, request.shape, run)
    return replace(timed, measured_peak_bytes=measured.peak_bytes, assumptions=(*predicted, said))


def read_setting(catalog: Catalog, gpu: str | None, run: TrainingRun, *, probe: bool = False) -> Setting:
    """Resolve where and how much is trained.

    Args:
        catalog: holds the table of devices.
        gpu: a device's name, or None.
        run: how much is to be trained.
        probe: whether steps are timed on the device at hand, which a price may then be of.

    Raises:
        UsageError: an unknown device, a price without one, or a price that makes no sense.
    """
    price = run.price_per_hour
    if price is not None and gpu is None and not probe:
        raise UsageError("a price per hour means nothing without a device", hint="name one, like --gpu L40S")
    if price is not None and not 0 <= price < math.inf:
        raise UsageError(f"a price of {price} an hour makes no sense", hint="write it like 1.80")
    return Setting(None if gpu is None else catalog.gpu(gpu), run)


def free_device_bytes() -> int:
    """Free memory of the GPU at hand; what this process' own context takes is not in it.

    Raises:
        MissingDependencyError: there is none.
    """
    import torch

    if not torch.cuda.is_available():
        raise MissingDependencyError(
            "--gpu-mem auto needs a GPU, and PyTorch sees none here",
            hint="name the memory, like --gpu-mem 24GB, or a device of the table, like --gpu L40S",
        )
    return int(torch.cuda.mem_get_info()[0])

"""A few real training steps on the device at hand: what they take, in place of what they are predicted to take."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import RunError, UsageError
from autopeft.memory.batch import empty_batch, label_count
from autopeft.memory.cache import cache_key, user_cache
from autopeft.memory.measure import measure_step
from autopeft.modeling.build import enable_gradient_checkpointing, load_base
from autopeft.modeling.precision import train_in_float32
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap

MEASURED_STEPS = 3
_SEED = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a real step took.

    Attributes:
        device: name of the GPU, or `cpu` with its number of threads.
        seconds_per_step: median over a few steps.
        peak_bytes: of one step: `torch.cuda.max_memory_allocated()`, on a CPU the bytes of tensors.
    """

    device: str
    seconds_per_step: float
    peak_bytes: int


def probe_step(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    shape: StepShape,
    architecture: ArchitectureSpec,
) -> Measured:
    """Measure the step on the device at hand, or remember what was measured on it before.

    Every sequence is as long as the longest, of tokens drawn at random.

    Args:
        model: with its weights.
        task: decides head and batch.
        method: of the catalogue.
        hyperparameters: all knobs of the method.
        shape: of the step.
        architecture: of the base.

    Raises:
        UsageError: the step cannot be run as it is asked for.
        ModelError: there are no weights, or the method does not apply to the model.
        RunError: the device has too little memory.
    """
    _refuse_what_is_not_run(shape)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    parts = {"config": dict(model.config), "model": model.name, "task": task.id, "method": method.id}
    settings = {"settings": dict(method.settings), "hyperparameters": dict(hyperparameters), "shape": asdict(shape)}
    cache = user_cache()
    key = cache_key({"probe of": parts | settings, "device": name})
    kept = _whole(cache.get(key)) if cache else None
    if kept is not None:
        return kept
    measured = _measured(_stepper(model, task, method, hyperparameters, shape, architecture, device), name)
    if cache:
        cache.put(key, asdict(measured))
    return measured


def _whole(kept: dict[str, Any] | None) -> Measured | None:
    try:
        return None if kept is None else Measured(**kept)
    except TypeError:
        return None


def _refuse_what_is_not_run(shape: StepShape) -> None:
    unusual = {
        "quantization": shape.quantization is not None,
        "several devices": shape.gpus > 1,
        f"{shape.attention} attention": shape.attention != "sdpa",
    }
    for what, asked in unusual.items():
        if asked:
            raise UsageError(f"a probe cannot measure a step with {what}", hint="leave out --probe, or that option")


def _stepper(
    model: ModelSpec,
    task: TaskSpec,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    shape: StepShape,
    architecture: ArchitectureSpec,
    device: str,
) -> Callable[[], None]:
    """One training step of the wrapped model, ready to run."""
    base = load_base(model, task, shape.num_labels, dtype=shape.dtype, device=device)
    if shape.gradient_checkpointing:
        enable_gradient_checkpointing(base)
    wrapped = wrap(base.train(), method, hyperparameters, task, architecture, head_seed=_SEED)
    if shape.dtype == "float16":
        train_in_float32(wrapped)
    optimizer = build_optimizer(wrapped, hyperparameters, shape.optimizer)
    batch = _random_batch(base, task, shape, device)
    autocast = None if shape.autocast_dtype is None else getattr(torch, shape.autocast_dtype)

    def step() -> None:
        # Reading the loss waits for the device.
        float(training_step(wrapped, [batch] * shape.accumulation, optimizer, autocast=autocast))

    return step


def _random_batch(base: PreTrainedModel, task: TaskSpec, shape: StepShape, device: str) -> dict[str, Tensor]:
    batch = empty_batch(task, shape, device)
    drawn = torch.Generator(device).manual_seed(_SEED)
    vocabulary = base.get_input_embeddings().num_embeddings
    batch["attention_mask"].fill_(1)
    batch["input_ids"].random_(1, vocabulary, generator=drawn)
    below = label_count(task, shape, vocabulary)
    for name in batch.keys() - {"attention_mask", "input_ids"}:
        batch[name].random_(0, below, generator=drawn)
    return batch


def _measured(step: Callable[[], None], device: str) -> Measured:
    try:
        # It warms up as well: the first step makes the optimizer's state and the libraries' plans.
        peak_bytes = measure_step(step)
        seconds = [_seconds(step) for _ in range(MEASURED_STEPS)]
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"the step does not fit the memory of {device}", hint="try a smaller --batch-size or --max-length"
        ) from error
    return Measured(device, median(seconds), peak_bytes)


def _seconds(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began

"""Two real training steps under the tracker: the event stream of a model, a batch and an optimizer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from autopeft.memory.collector import without_collector
from autopeft.memory.meta_memo import Layouts, RememberedShapes
from autopeft.memory.operators import Operators
from autopeft.memory.stream import EventStream
from autopeft.memory.tracker import StorageTracker
from autopeft.modeling.step import training_step

Batch = Mapping[str, Tensor]
Step = Callable[..., object]
# Of one process: its methods and depths ask for the same shapes.
_KNOWN_SHAPES: dict[Any, Layouts] = {}


def trace_steps(  # noqa: PLR0913 - what a traced run is made of
    model: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = 2,
    operators: Operators | None = None,
    step: Step = training_step,
    padded: bool = False,
    host_counts: bool = False,
    micro_batches: int = 1,
    first_batch: Batch | None = None,
) -> EventStream:
    """Run `steps` training steps of `model` on `batch` and record what they allocate.

    Args:
        model: as `wrap` gave it, on meta or with real tensors; it is changed by the steps.
        batch: the model's arguments, on the same device.
        optimizer: over the model's trainable parameters.
        steps: 2 shows the steady state (optimizer state exists); 1 the first step.
        operators: of the device that is meant; None for those of the tensors' own device.
        step: called like `modeling.step.training_step`.
        padded: whether the batch counts as padded (only asked on meta).
        host_counts: whether tensors on other devices than the model's count too, as they do on a CPU.
        micro_batches: how often `batch` is run before each update; from the second on, gradients exist already.
        first_batch: what the first step runs on in the place of `batch`, as batches differ in length.

    Returns:
        The stream; its `step_flops` are of one step, forward and backward.
    """
    tracker = StorageTracker(
        padded=padded,
        discover=host_counts,
        device=None if host_counts else next(model.parameters()).device.type,
        run=RememberedShapes(_KNOWN_SHAPES),
    )
    book_model(tracker, model, batch, optimizer)
    with ExitStack() as stack:
        stack.enter_context(without_collector())
        stack.enter_context(_marking(tracker, model, optimizer))
        end_forward = _nothing
        if operators is not None:
            end_forward = stack.enter_context(operators.active())
            stack.enter_context(_recomputing(model, operators))
        stack.enter_context(tracker)
        workspaces = _Workspaces(tracker, operators, next(model.parameters()).device)
        for number in range(steps):
            tracker.enter("forward")
            workspaces.first_use("forward")
            tracker.counts_work = number == steps - 1
            given = first_batch if first_batch is not None and number == 0 else batch
            backward = _backward(tracker, end_forward, micro_batches, workspaces)
            step(model, [given] * micro_batches, optimizer, backward=backward)
            tracker.add(_optimizer_state(model, optimizer), "optimizer")
        return tracker.finish()


class _Workspaces:
    """The library workspaces of the forward thread and of autograd's, made when each first runs."""

    def __init__(self, tracker: StorageTracker, operators: Operators | None, device: torch.device) -> None:
        self._tracker = tracker
        self._device = device
        self._bytes = operators.workspace_bytes if operators is not None else 0
        self._made: dict[str, Tensor] = {}

    def first_use(self, thread: str) -> None:
        if self._bytes and thread not in self._made:
            self._made[thread] = torch.empty(self._bytes, dtype=torch.uint8, device=self._device)
            self._tracker.add([self._made[thread]], "temporaries")


def book_model(
    tracker: StorageTracker, model: nn.Module, batch: Batch, optimizer: torch.optim.Optimizer | None
) -> None:
    """Book what lives before a step: base weights, adapter, optimizer state and the batch."""
    adapted = isinstance(model, PeftModel)
    trained = [p for p in model.parameters() if p.requires_grad]
    others = [p for p in model.parameters() if not p.requires_grad]
    tracker.add([*plain_tensors(model), *others, *model.buffers()], "weights")
    tracker.add(trained, "adapter" if adapted else "weights")
    if optimizer is not None:
        tracker.add(_optimizer_state(model, optimizer), "optimizer")
    tracker.add(batch.values(), "activations")


def plain_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors that modules hold as plain attributes or in plain dicts, where `buffers` does not see them."""
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor):
                yield value
            elif type(value) is dict:
                yield from (entry for entry in value.values() if type(entry) is Tensor)


def _optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """State tensors on the model's device (the step counters of AdamW live on the host)."""
    device = next(model.parameters()).device
    states = optimizer.state.values()
    return [v for state in states for v in state.values() if isinstance(v, Tensor) and v.device == device]


def _nothing() -> None:
    """There is nothing to do at the end of a forward pass."""


def _backward(
    tracker: StorageTracker, end_forward: Callable[[], None], micro_batches: int, workspaces: _Workspaces
) -> Callable[[Tensor], None]:
    following = ["optimizer"] + ["forward"] * (micro_batches - 1)

    def run(loss: Tensor) -> None:
        end_forward()
        tracker.enter("backward")
        workspaces.first_use("backward")
        loss.backward()
        tracker.enter(following.pop())

    return run


@contextmanager
def _marking(tracker: StorageTracker, model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Label gradients as they are accumulated, and find out the shape of the logits."""
    hooks: list[RemovableHandle] = [
        p.register_post_accumulate_grad_hook(lambda p: _note_gradient(tracker, p))
        for p in model.parameters()
        if p.requires_grad
    ]
    hooks.append(model.register_forward_hook(lambda _m, _a, out: _note_logits(tracker, out)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _note_gradient(tracker: StorageTracker, parameter: Tensor) -> None:
    if parameter.grad is not None:
        tracker.add([parameter.grad], "gradients")


def _note_logits(tracker: StorageTracker, output: Any) -> None:
    logits = getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        tracker.mark_logits(logits)


@contextmanager
def _recomputing(model: nn.Module, operators: Operators) -> Iterator[None]:
    """Gradient checkpointing runs forward code within the backward pass, where the operators are not in place."""
    checkpointed: list[Any] = [m for m in model.modules() if "_gradient_checkpointing_func" in vars(m)]
    original = {module: module._gradient_checkpointing_func for module in checkpointed}
    for module, function in original.items():
        module._gradient_checkpointing_func = partial(function, context_fn=lambda: (nullcontext(), operators.active()))
    try:
        yield
    finally:
        for module, function in original.items():
            module._gradient_checkpointing_func = function

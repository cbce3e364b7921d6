"""A dispatch mode that follows the life of every storage, on meta and on real tensors alike.

Each operation's outputs are looked at once: a storage not seen before is an allocation, and a weak reference
to it reports when it dies. Nothing is estimated: what the autograd graph keeps alive stays on the books.
"""

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autopeft.domain.memory import COMPONENTS
from autopeft.memory.operations import Call, record, strided_parts
from autopeft.memory.stream import ALLOC, FREE, PHASE, PHASES, EventStream

_WEIGHTS, _ADAPTER, _GRADIENTS, _OPTIMIZER, _ACTIVATIONS, _LOGITS, _TEMPORARIES = range(len(COMPONENTS))
_FORWARD, _BACKWARD = PHASES.index("forward"), PHASES.index("backward")
_CONJUNCTIONS = (torch.ops.aten.all, torch.ops.aten.eq)
Run = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
_READ_SCALAR = torch.ops.aten._local_scalar_dense.default


def _run(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
    return func(*args, **given)


class StorageTracker(TorchDispatchMode):
    """Records allocations, frees and floating point operations while it is active.

    On the meta device a value that Python asks for (`tensor.item()`) does not exist. "Are all of these true?", which
    transformers asks of the padding mask, is answered by `padded`; everything else by zero or False.

    Args:
        padded: whether batches hold padding, so that attention gets a mask.
        discover: whether tensors that an operation reads, and that nobody booked, count from the start.
        device: type of the only device that counts (AdamW keeps its step counters on the host); None for all.
        run: what runs an operator, or makes what it would have made.
    """

    def __init__(
        self, *, padded: bool = False, discover: bool = False, device: str | None = None, run: Run = _run
    ) -> None:
        super().__init__()
        self._run = run
        self._padded = padded
        self._discover = discover
        self._device = device
        self._found: list[int] = []
        self._conjunctions: set[int] = set()
        self.stream = EventStream()
        # Work is that of one step: whoever traces several turns it off for all but the last, as it takes its time.
        self.counts_work = True
        self._phase = PHASES.index("load")
        self._numbers: dict[int, int] = {}
        self._references: dict[int, weakref.ref[Any]] = {}
        self._born: list[int] = []
        self._widths: list[tuple[int, int]] = []
        self._fixed: dict[int, int] = {}
        self._logits: set[tuple[int, int]] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch's own switch: nothing is compiled here, and the guard costs as much as the work for each operator.
        return False

    def enter(self, phase: str) -> None:
        """Mark the start of a phase: load, forward, backward or optimizer."""
        self._phase = PHASES.index(phase)
        self.stream.events.append((PHASE, self._phase))

    def add(self, tensors: Iterable[torch.Tensor], component: str) -> None:
        """Book tensors that exist already, or re-label those that are booked; those of other devices do not count."""
        for tensor in (part for one in tensors for part in strided_parts(one)):
            self._book(tensor)
            number = self._numbers.get(tensor.untyped_storage()._cdata)
            if number is not None:
                self._fixed[number] = COMPONENTS.index(component)

    def mark_logits(self, logits: torch.Tensor) -> None:
        """Count tensors of the shape of `logits` under logits."""
        self._logits.add((logits.numel(), logits.shape[-1]))

    def finish(self) -> EventStream:
        """The stream, every storage labelled; what still lives stays alive in it."""
        self._references.clear()
        self.stream.events[:0] = [(ALLOC, number) for number in self._found]
        self.stream.labels = self._labels()
        return self.stream

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and book what it made."""
        if func is _READ_SCALAR and args[0].device.type == "meta":
            self._count(Call(func, args, {}, None))
            return self._answer(args[0])
        if self._discover:
            self._find_all(args)
            self._find_all(tuple((kwargs or {}).values()))
        given = kwargs or {}
        out = self._run(func, args, given)
        self._count(Call(func, args, given, out))
        if func._overloadpacket in _CONJUNCTIONS:
            self._conjunctions.add(out.untyped_storage()._cdata)
        self._book_all(out)
        return out

    def _count(self, call: Call) -> None:
        if self.counts_work:
            self.stream.step_flops += record(self.stream.operations, self._phase, call, self._device)

    def _answer(self, scalar: torch.Tensor) -> bool | int | float:
        if scalar.dtype == torch.bool:
            return scalar.untyped_storage()._cdata in self._conjunctions and not self._padded
        return 0.0 if scalar.dtype.is_floating_point else 0

    def _book_all(self, out: Any) -> None:
        if isinstance(out, torch.Tensor):
            for part in strided_parts(out):
                self._book(part)
        elif isinstance(out, list | tuple):
            for part in out:
                self._book_all(part)

    def _find_all(self, given: Any) -> None:
        """Book tensors among an operation's arguments that were there before the tracker."""
        if isinstance(given, torch.Tensor):
            for part in strided_parts(given):
                if part.untyped_storage()._cdata not in self._numbers and part.untyped_storage().nbytes():
                    self._book(part)
                    self._found.append(self.stream.events.pop()[1])
        elif isinstance(given, list | tuple):
            for part in given:
                self._find_all(part)

    def _book(self, tensor: torch.Tensor) -> None:
        if self._device is not None and tensor.device.type != self._device:
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._numbers or storage.nbytes() == 0:
            return
        number = len(self._born)
        self._numbers[key] = number
        self._references[key] = weakref.ref(storage, partial(self._release, key))
        self._born.append(self._phase)
        self._widths.append((tensor.numel(), tensor.shape[-1] if tensor.dim() > 1 else 0))
        self.stream.sizes.append(storage.nbytes())
        self.stream.events.append((ALLOC, number))

    def _release(self, key: int, _dead: object) -> None:
        number = self._numbers.pop(key, None)
        self._references.pop(key, None)
        self._conjunctions.discard(key)
        if number is not None:
            self.stream.events.append((FREE, number))

    def _labels(self) -> list[int]:
        """A component for each storage: fixed ones as told, the others by shape and by how long they live."""
        outlived: set[int] = set()
        alive: set[int] = set()
        for kind, number in self.stream.events:
            if kind == ALLOC and self._born[number] == _FORWARD:
                alive.add(number)
            elif kind == FREE:
                alive.discard(number)
            elif kind == PHASE and number == _BACKWARD:
                outlived |= alive
        return [self._label(number, number in outlived) for number in range(len(self._born))]

    def _label(self, number: int, outlived_forward: bool) -> int:
        if number in self._fixed:
            return self._fixed[number]
        if self._widths[number] in self._logits:
            return _LOGITS
        return _ACTIVATIONS if outlived_forward else _TEMPORARIES

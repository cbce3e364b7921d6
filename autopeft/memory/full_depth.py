"""A traced step at the full depth of its model, from traces of shallow ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from autopeft.memory.depth import Stack
from autopeft.memory.extrapolate import extrapolate, repeat_layers
from autopeft.memory.sharding import Units
from autopeft.memory.stream import EventStream
from autopeft.modeling.parameters import ParameterCounts


@dataclass(frozen=True, slots=True)
class Traced:
    """A traced step and what else grows with the depth of the model.

    Attributes:
        stream: of the training steps.
        counts: parameters of the wrapped model.
        units: what several GPUs would share.
        inference: of evaluation and generation, where the shape asks for them.
    """

    stream: EventStream
    counts: ParameterCounts
    units: Units
    inference: EventStream | None = None


def at_full_depth(
    trace_at: Callable[[Mapping[Stack, int] | None], Traced], stacks: Sequence[Stack]
) -> tuple[Traced, str]:
    """The traced step of the whole model, from shallow traces where its layers repeat, and how it was made.

    Args:
        trace_at: traces the model with so many layers in each stack, or whole where it is given None.
        stacks: of layers that repeat; none to trace the whole model.
    """
    if not any(stack.is_deep for stack in stacks):
        return trace_at(None), "traced at full depth"
    depths: dict[Stack, set[int]] = {stack: set() for stack in stacks}

    def trace(at: Mapping[Stack, int]) -> Traced:
        for stack, layers in at.items():
            depths[stack].add(layers)
        return trace_at(at)

    found = _deepened(trace, stacks, {})
    if found is None:
        return trace_at(None), "traced at full depth"
    return found, " and ".join(_how(stack, sorted(depths[stack])) for stack in stacks if stack.is_deep)


def _deepened(
    trace: Callable[[Mapping[Stack, int]], Traced], stacks: Sequence[Stack], at: Mapping[Stack, int]
) -> Traced | None:
    """The trace at full depth of `stacks`, one after the other, the others as deep as `at` says."""
    if not stacks:
        return trace(at)
    stack, rest = stacks[0], stacks[1:]
    if not stack.is_deep:
        return _deepened(trace, rest, {**at, stack: stack.layers})

    def at_depth(layers: int) -> Traced | None:
        return _deepened(trace, rest, {**at, stack: layers})

    found = repeat_layers(at_depth, stack, _grown)
    return found[0] if found else None


def _grown(shallow: Traced | None, deeper: Traced | None, extra: int) -> Traced | None:
    if shallow is None or deeper is None:
        return None
    stream = extrapolate(shallow.stream, deeper.stream, extra)
    if stream is None:
        return None
    inference = None
    if shallow.inference is not None and deeper.inference is not None:
        inference = extrapolate(shallow.inference, deeper.inference, extra)
        if inference is None:
            return None
    counts, units = _counts_at(shallow.counts, deeper.counts, extra), shallow.units.grown(deeper.units, extra)
    return Traced(stream, counts, units, inference)


def _how(stack: Stack, depths: Sequence[int]) -> str:
    return f"traced with {' and '.join(map(str, depths[-2:]))} layers, repeated to {stack.layers}"


def _counts_at(shallow: ParameterCounts, deeper: ParameterCounts, extra: int) -> ParameterCounts:
    grown = {
        name: getattr(deeper, name) + extra * (getattr(deeper, name) - getattr(shallow, name))
        for name in ("trainable", "adapter", "total")
    }
    return replace(deeper, **grown)

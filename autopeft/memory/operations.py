"""What each operator of a traced step computes and moves, counted as it runs.

FLOPs are those of torch.utils.flop_counter. Bytes are the sizes of an operator's distinct tensors, read and written
once each; of an expanded tensor, what lies in memory; of a table that is indexed, the rows that are taken. Views,
empty tensors and what runs on another device than the model's cost the host's time alone.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import flop_registry

from autopeft.domain.work import STEP_PHASES, Operation, StepWork
from autopeft.memory.stream import PHASES, OperationCounts, Recorded

_aten = torch.ops.aten
# Share storage with their argument or write nothing, though their schema does not say so.
_NO_KERNEL = {
    _aten._unsafe_view,
    _aten.lift_fresh,
    _aten.empty,
    _aten.empty_like,
    _aten.empty_strided,
    _aten.new_empty,
    _aten.new_empty_strided,
    _aten.resize_,
    _aten.set_,
}
# Read as many elements of their first argument as they return.
_PICKS = {_aten.embedding, _aten.index, _aten.index_select, _aten.gather, _aten.nll_loss_forward}
# Work off a matrix column by column: factorizations, solvers and inverses, by parts of their names.
_FACTORIZATIONS = ("_lu", "_solve", "solve_triangular", "_inv", "_qr", "_svd", "_eig", "cholesky")
# Overwrite their first argument without reading it.
_OVERWRITES = {_aten.copy_, _aten.fill_, _aten.zero_, _aten.normal_, _aten.uniform_}


_HOST = Operation("host")
_LAUNCH = Operation("other")
_SERIAL = Operation("serial")
_SYNC = Operation("sync")


class Call(NamedTuple):
    """One operator call, as a dispatch mode sees it.

    Attributes:
        func: the operator.
        args: its positional arguments.
        kwargs: its keyword arguments.
        out: what it returned.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any


def record(counts: OperationCounts, phase: int, call: Call, device: str | None) -> int:
    """Count one operator call.

    Args:
        counts: grows.
        phase: index into `PHASES`.
        call: what ran.
        device: type of the device whose work counts; calls elsewhere are the host's. None for all.

    Returns:
        Its floating point operations, by the operator's formula; 0 where it has none.
    """
    packet = call.func._overloadpacket
    formula = flop_registry.get(packet)
    flops = 0 if formula is None else int(formula(*call.args, **call.kwargs, out_val=call.out))
    for operation, times in _operations(packet, call, flops, device):
        counts[Recorded(phase, packet.__name__, operation)] += times
    return flops


def _operations(packet: Any, call: Call, flops: int, device: str | None) -> Iterator[tuple[Operation, int]]:
    """What one call comes to: operations, and how often each."""
    if call.func.is_view or packet in _NO_KERNEL:
        yield _HOST, 1
        return
    name = packet.__name__
    writes = list(_tensors(call.out))
    reads = list(_tensors((call.args, tuple(call.kwargs.values()))))
    if _crosses(reads, writes):
        yield Operation("transfer", moved_bytes=sum(map(_bytes, writes))), 1
    elif _elsewhere(writes or reads, device):
        yield _HOST, 1
    elif packet is _aten._local_scalar_dense:
        yield _SYNC, 1
    elif name.startswith(("_foreach_", "_fused_")):
        yield from ((Operation("foreach", moved_bytes=moved), 1) for moved in _by_tensor(call))
        yield _LAUNCH, 1
    else:
        if any(part in name for part in _FACTORIZATIONS):
            yield _SERIAL, _serial_steps(reads)
        yield _operation(packet, reads, flops, _moved_bytes(packet, reads, writes)), 1


def step_work(counts: OperationCounts) -> StepWork:
    """The counts without operator names, so that equal work merges."""
    phases: dict[str, Counter[Operation]] = {phase: Counter() for phase in STEP_PHASES}
    for recorded, count in counts.items():
        phase = PHASES[recorded.phase]
        if phase in phases:
            phases[phase][recorded.operation] += count
    return StepWork({phase: dict(operations) for phase, operations in phases.items()})


def _operation(packet: Any, reads: list[torch.Tensor], flops: int, moved: int) -> Operation:
    if packet not in flop_registry:
        return Operation("other", moved_bytes=moved)
    dtype = str(reads[0].dtype).removeprefix("torch.")
    return Operation("attention" if "attention" in packet.__name__ else "matmul", dtype, flops, moved)


def _moved_bytes(packet: Any, reads: list[torch.Tensor], writes: list[torch.Tensor]) -> int:
    written = sum(map(_bytes, writes))
    if packet in _PICKS and reads:
        return 2 * written + sum(_bytes(one) for one in _distinct(reads[1:]))
    if packet in _OVERWRITES:
        reads = reads[1:]
    return written + sum(_bytes(one) for one in _distinct(reads))


def _by_tensor(call: Call) -> Iterator[int]:
    """Bytes that each tensor of a list takes, with its companions in the other lists, the result included."""
    lists = [one for one in call.args if isinstance(one, list | tuple) and one and isinstance(one[0], torch.Tensor)]
    results = call.out if isinstance(call.out, list | tuple) and call.out else lists[0] if lists else ()
    for position, result in enumerate(results):
        companions = (one[position] for one in lists if position < len(one))
        yield _bytes(result) + sum(_bytes(one) for one in companions if isinstance(one, torch.Tensor))


def _serial_steps(reads: list[torch.Tensor]) -> int:
    """Columns that a factorization or a triangular solve works off one after the other."""
    return max((min(one.shape[-2:]) for one in reads if one.dim() >= 2), default=1)


def _elsewhere(tensors: list[torch.Tensor], device: str | None) -> bool:
    return device is not None and bool(tensors) and tensors[0].device.type != device


def _crosses(reads: list[torch.Tensor], writes: list[torch.Tensor]) -> bool:
    """Whether a tensor is copied from the host to the device or back."""
    return bool(reads and writes) and reads[0].dim() > 0 and reads[0].device.type != writes[0].device.type


def _bytes(tensor: torch.Tensor) -> int:
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def strided_parts(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What holds the memory of a tensor: itself, or the indices and values of a sparse one."""
    return (tensor._indices(), tensor._values()) if tensor.layout is torch.sparse_coo else (tensor,)


def _distinct(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return list({id(one): one for one in tensors}.values())


def _tensors(given: Any) -> Iterator[torch.Tensor]:
    if isinstance(given, torch.Tensor):
        yield from strided_parts(given)
    elif isinstance(given, list | tuple):
        for part in given:
            yield from _tensors(part)

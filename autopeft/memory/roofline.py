"""Seconds of a training step on a device, from what the step computes and moves.

Each kernel takes as long as its slowest resource: operations over what the device computes, bytes over what its
memory delivers, and never less than an empty kernel. The host calls one operator after the other and runs ahead of
the device; so a phase ends when both are through, and a step of many small kernels takes the host's time
(S. Williams et al., "Roofline", CACM 52(4), 2009, for the former; a queue of two stations for the latter).

The constants below hold for PyTorch's eager mode on any device. They and the shares in the GPU table were set on the
rows of `peft_metamath_measured.csv` (an L40S; benchmarks/time_metamath.md shows every row); none is of a method.
"""

from collections.abc import Mapping

from autopeft.domain.hardware import HardwareSpec
from autopeft.domain.work import STEP_PHASES, Operation, StepWork

# Against the launch of an operator in a forward pass: autograd runs the backward pass without Python.
_HOST_SHARE: Mapping[str, float] = {"forward": 1.0, "backward": 0.7, "optimizer": 1.0}
# A view costs the host half of what a kernel does, one tensor more in a kernel over many a twentieth.
_VIEW_SHARE = 0.5
_FOREACH_SHARE = 0.05
# Against matrix products: the memory-efficient attention kernels.
_ATTENTION_SHARE = 0.4
# Against an empty kernel: the shortest matrix product, one column of a factorization.
_SHORTEST_MATMUL = 2.5
_COLUMN = 1.5
# One wait for a value, against a launch.
_SYNC_SHARE = 1.0
# From pageable memory over PCIe 4.0 x16; set on the one row of that table with such copies.
_TRANSFER_BYTES_PER_SECOND = 13e9


def seconds_per_step(work: StepWork, hardware: HardwareSpec, *, passes: int = 1) -> float:
    """Predicted seconds of one optimizer step.

    Args:
        work: of one step.
        hardware: that it runs on.
        passes: forward and backward passes in the step, where `work` holds one of them.
    """
    host_end = device_end = 0.0
    for phase in [*STEP_PHASES[:2]] * passes + [STEP_PHASES[2]]:
        counts = work.phases.get(phase, {})
        host_end += sum(count * _host_seconds(one, phase, hardware) for one, count in counts.items())
        device = sum(count * _device_seconds(one, hardware) for one, count in counts.items())
        device_end = max(host_end, device_end + device)
    return device_end


def _device_seconds(operation: Operation, hardware: HardwareSpec) -> float:
    beside_the_roofline = {
        "host": 0.0,
        "sync": _SYNC_SHARE * hardware.launch_seconds,
        "serial": _COLUMN * hardware.kernel_seconds,
        "transfer": operation.moved_bytes / _TRANSFER_BYTES_PER_SECOND,
    }
    if operation.kind in beside_the_roofline:
        return beside_the_roofline[operation.kind]
    moving = operation.moved_bytes / hardware.achieved_bandwidth
    return max(moving, _shortest(operation, hardware), _computing(operation, hardware))


def _shortest(operation: Operation, hardware: HardwareSpec) -> float:
    """What a kernel takes at least; a tensor in a kernel over many is no kernel of its own."""
    of_a_kernel = {"foreach": 0.0, "other": 1.0}
    return of_a_kernel.get(operation.kind, _SHORTEST_MATMUL) * hardware.kernel_seconds


def _computing(operation: Operation, hardware: HardwareSpec) -> float:
    if operation.kind not in ("matmul", "attention"):
        return 0.0
    share = _ATTENTION_SHARE if operation.kind == "attention" else 1.0
    return operation.flops / (share * hardware.achieved_flops_per_second(operation.dtype))


def _host_seconds(operation: Operation, phase: str, hardware: HardwareSpec) -> float:
    share = {"host": _VIEW_SHARE, "foreach": _FOREACH_SHARE, "serial": 0.0}.get(operation.kind, 1.0)
    return share * _HOST_SHARE[phase] * hardware.launch_seconds

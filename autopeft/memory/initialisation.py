"""What a method's starting values take to work out: a phase of its own, before the first step.

PiSSA (arXiv 2404.02948, section 3), OLoRA (arXiv 2406.01775, section 3) and MiCA (arXiv 2604.01694) start from a
factorization of each target's weight, in float32, whose factors live beside the base.
"""

from collections.abc import Callable

from torch import nn
from transformers import PreTrainedModel

from autopeft.domain.methods import MethodSpec
from autopeft.memory.stream import EventStream
from autopeft.memory.tracker import StorageTracker


def works_out_values(method: MethodSpec) -> bool:
    """Whether the method names how its values are initialised, as peft's `init_lora_weights: pissa` does."""
    return any(name.startswith("init_") and isinstance(value, str) for name, value in method.settings.items())


def trace_initialisation(base: PreTrainedModel, wrap: Callable[[], nn.Module]) -> EventStream | None:
    """The life of every storage while the method is put on `base`.

    Args:
        base: on meta, and loaded already.
        wrap: puts the method on it, without a copy. A factorization's own workspace is the library's and not seen.

    Returns:
        The stream, with the phases load and initialisation; None where nothing was factorized, as some methods leave
        it out on the meta device.

    Raises:
        ModelError: as `wrap` does.
    """
    tracker = StorageTracker(device=base.device.type)
    tracker.add([*base.parameters(), *base.buffers()], "weights")
    tracker.enter("initialisation")
    with tracker:
        wrapped = wrap()
    tracker.add([parameter for parameter in wrapped.parameters() if parameter.requires_grad], "adapter")
    stream = tracker.finish()
    return stream if any(recorded.operation.kind == "serial" for recorded in stream.operations) else None

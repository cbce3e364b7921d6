"""Several GPUs, by arithmetic on the stream of one: what each of them holds.

Data parallel (torch.nn.parallel.DistributedDataParallel): every device holds the whole step and, beside the gradients,
the reducer's buckets of the same size (`gradient_as_bucket_view` is off by default; torch/csrc/distributed/c10d/
reducer.cpp).

Fully sharded (FSDP, full shard; arXiv:2304.11277 sections 3 and 4): weights, adapter, gradients, optimizer state and
the optimizer's temporaries are divided by the number of devices. On top, during forward and backward, the parameters
of what lies outside the repeated layers (the root unit, which stays gathered) and of two layers (the one that runs and
the one that is prefetched), and during backward the gradients of the root and of one layer before they are reduced.
What is no parameter (the statistics of a quantised weight, rotary tables) is not sharded. Activations are those of a
device's own batch.
"""

from dataclasses import dataclass, fields

from torch import nn

from autopeft.domain.memory import COMPONENTS, StepShape
from autopeft.memory.stream import ALLOC, FREE, PHASE, PHASES, EventStream
from autopeft.modeling.layers import repeated_layers

_WEIGHTS, _ADAPTER, _GRADIENTS, _OPTIMIZER, _ACTIVATIONS, _LOGITS, _TEMPORARIES = range(len(COMPONENTS))
_SHARDED = (_WEIGHTS, _ADAPTER, _GRADIENTS, _OPTIMIZER)
_LAYERS_GATHERED = 2


@dataclass(frozen=True, slots=True)
class Units:
    """What FSDP would gather at once, in bytes.

    Attributes:
        root_bytes: parameters outside the repeated layers.
        layer_bytes: parameters of the largest layer.
        root_trained_bytes: those of the root that train.
        layer_trained_bytes: those of the largest layer that train.
        trained_bytes: all that train, which is what the gradients take.
        unsharded_bytes: buffers, which every device keeps whole.
    """

    root_bytes: int
    layer_bytes: int
    root_trained_bytes: int
    layer_trained_bytes: int
    trained_bytes: int
    unsharded_bytes: int

    def grown(self, deeper: "Units", extra_layers: int) -> "Units":
        """The units of a model `extra_layers` deeper than `deeper`, which is one period of layers deeper than this."""
        sizes = {
            one.name: (at := getattr(deeper, one.name)) + extra_layers * (at - getattr(self, one.name))
            for one in fields(self)
        }
        return Units(**sizes)


def units_of(model: nn.Module) -> Units:
    """The units of a wrapped model: each entry of its outermost module lists is one."""
    layers = repeated_layers(model)
    in_layers = {id(parameter) for layer in layers for parameter in layer.parameters()}
    root = [parameter for parameter in model.parameters() if id(parameter) not in in_layers]
    return Units(
        root_bytes=_bytes(root),
        layer_bytes=max((_bytes(list(layer.parameters())) for layer in layers), default=0),
        root_trained_bytes=_bytes(root, trained=True),
        layer_trained_bytes=max((_bytes(list(layer.parameters()), trained=True) for layer in layers), default=0),
        trained_bytes=_bytes(list(model.parameters()), trained=True),
        unsharded_bytes=sum(buffer.numel() * buffer.element_size() for buffer in model.buffers()),
    )


def shared(stream: EventStream, units: Units, shape: StepShape) -> EventStream:
    """The stream of each device as `shape` shares the step; that of one device as it is."""
    if shape.gpus == 1:
        return stream
    return data_parallel(stream, units) if shape.sharding == "ddp" else fully_sharded(stream, units, shape.gpus)


def data_parallel(stream: EventStream, units: Units) -> EventStream:
    """The stream of each device when all repeat the model: with gradient buckets from the start."""
    made = _copy(stream)
    made.events.insert(0, _new(made, units.trained_bytes, _GRADIENTS))
    return made


def fully_sharded(stream: EventStream, units: Units, gpus: int) -> EventStream:
    """The stream of each of `gpus` devices when they shard the model."""
    made = _copy(stream)
    phase = 0
    for kind, number in stream.events:
        phase = number if kind == PHASE else phase
        if kind == ALLOC and (
            made.labels[number] in _SHARDED
            or (made.labels[number] == _TEMPORARIES and phase == PHASES.index("optimizer"))
        ):
            made.sizes[number] = -(-made.sizes[number] // gpus)
    gathered = _new(made, units.root_bytes + _LAYERS_GATHERED * units.layer_bytes, _WEIGHTS)
    reduced = _new(made, units.root_trained_bytes + units.layer_trained_bytes, _GRADIENTS)
    whole = _new(made, units.unsharded_bytes - units.unsharded_bytes // gpus, _WEIGHTS)
    made.events = [whole]
    live: set[int] = set()
    for event in stream.events:
        made.events.append(event)
        if event[0] == PHASE:
            wanted = _wanted(event[1], gathered[1], reduced[1])
            made.events += [(FREE, number) for number in sorted(live - wanted)]
            made.events += [(ALLOC, number) for number in sorted(wanted - live)]
            live = wanted
    return made


def _wanted(phase: int, gathered: int, reduced: int) -> set[int]:
    if phase == PHASES.index("backward"):
        return {gathered, reduced}
    return set() if phase in map(PHASES.index, ("load", "optimizer")) else {gathered}


def _copy(stream: EventStream) -> EventStream:
    return EventStream(
        list(stream.sizes), list(stream.labels), list(stream.events), stream.step_flops, stream.operations.copy()
    )


def _new(stream: EventStream, size_bytes: int, label: int) -> tuple[int, int]:
    """A storage of its own and the event that allocates it."""
    stream.sizes.append(size_bytes)
    stream.labels.append(label)
    return ALLOC, len(stream.sizes) - 1


def _bytes(parameters: list[nn.Parameter], *, trained: bool = False) -> int:
    return sum(p.numel() * p.element_size() for p in parameters if p.requires_grad or not trained)

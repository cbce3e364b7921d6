from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.allocator import CachingAllocator, replay
from autopeft.memory.extrapolate import extrapolate
from autopeft.memory.pricing import BaseModels, Pricing, price
from autopeft.memory.stream import ALLOC, FREE, EventStream, find_peak
from autopeft.modeling.architecture import architecture_of

CATALOG = load_catalog()
BASES = BaseModels()
CONFIG = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "tie_word_embeddings": True,
}


def _estimate(layers: int, rank: int, shape: StepShape, changes: dict[str, Any] | None = None) -> MemoryEstimate:
    config: dict[str, Any] = CONFIG | {"num_hidden_layers": layers} | (changes or {})
    method = CATALOG.methods["lora"]
    step = Pricing(
        ModelSpec("tiny", config),
        CATALOG.tasks["causal-lm"],
        method,
        method.start(10**8) | {_rank_knob(): rank},
        shape,
        architecture_of(config, CATALOG),
        bases=BASES,
    )
    return price(step)


def _rank_knob() -> str:
    return next(knob.name for knob in CATALOG.methods["lora"].knobs if knob.argument == "r")


@settings(max_examples=8, deadline=None)
@given(
    layers=st.integers(1, 8),
    rank=st.sampled_from([1, 2, 4]),
    batch=st.integers(1, 4),
    length=st.integers(4, 64),
    grow=st.sampled_from(["layers", "rank", "batch", "length"]),
    options=st.sampled_from(
        [
            {},
            {"quantization": "nf4-double", "gradient_checkpointing": True},
            {"quantization": "int8", "optimizer": "adamw-8bit"},
            {"dtype": "float16", "accumulation": 3, "inference": True},
            {"gpus": 4, "sharding": "fsdp", "attention": "eager"},
        ]
    ),
)
def test_more_of_anything_never_takes_less(
    layers: int, rank: int, batch: int, length: int, grow: str, options: dict[str, Any]
) -> None:
    shape = StepShape(batch_size=batch, max_length=length, **options)
    grown_shape = replace(shape, batch_size=batch + (grow == "batch"), max_length=length + 16 * (grow == "length"))
    small = _estimate(layers, rank, shape)
    large = _estimate(layers + (grow == "layers"), rank * (4 if grow == "rank" else 1), grown_shape)
    assert large.peak_bytes >= small.peak_bytes
    for found in (small, large):
        assert sum(found.components_bytes[name] for name in COMPONENTS) == found.peak_bytes
        assert found.reserved_bytes >= found.peak_bytes


@settings(max_examples=6, deadline=None)
@given(layers=st.integers(1, 4), width=st.sampled_from([64, 128, 192]), batch=st.integers(1, 3))
def test_fewer_bits_make_smaller_weights(layers: int, width: int, batch: int) -> None:
    sizes = {"num_attention_heads": 4, "hidden_size": width, "intermediate_size": 2 * width}
    shapes = [
        StepShape(batch_size=batch, max_length=8, quantization="nf4"),
        StepShape(batch_size=batch, max_length=8, quantization="int8"),
        StepShape(batch_size=batch, max_length=8),
        StepShape(batch_size=batch, max_length=8, dtype="float32"),
    ]
    weights = [_estimate(layers, 2, shape, sizes).components_bytes["weights"] for shape in shapes]
    assert weights == sorted(set(weights))


@st.composite
def _streams(draw: st.DrawFn) -> EventStream:
    stream = EventStream()
    live: list[int] = []
    for _ in range(draw(st.integers(1, 60))):
        if live and draw(st.booleans()):
            stream.events.append((FREE, live.pop(draw(st.integers(0, len(live) - 1)))))
            continue
        live.append(len(stream.sizes))
        stream.events.append((ALLOC, len(stream.sizes)))
        stream.sizes.append(draw(st.sampled_from([1, 512, 3000, 2**20, 2**20 + 1, 9 * 2**20, 11 * 2**20, 70 * 2**20])))
        stream.labels.append(draw(st.integers(0, 6)))
    return stream


@settings(max_examples=100, deadline=None)
@given(_streams())
def test_reserved_covers_the_peak_and_components_sum(stream: EventStream) -> None:
    peak = find_peak(stream)
    assert replay(stream) >= peak.peak_bytes
    assert sum(peak.components_bytes.values()) == peak.peak_bytes


@settings(max_examples=100, deadline=None)
@given(_streams())
def test_an_allocator_that_gets_everything_back_returns_all_of_it(stream: EventStream) -> None:
    allocator = CachingAllocator()
    blocks = {}
    for kind, number in stream.events:
        if kind == ALLOC:
            blocks[number] = allocator.allocate(stream.sizes[number])
        else:
            allocator.release(blocks.pop(number))
    for block in blocks.values():
        allocator.release(block)
    allocator.empty_cache()
    assert allocator.reserved_bytes == 0


@settings(max_examples=50, deadline=None)
@given(_streams())
def test_a_stream_repeated_by_no_layer_is_itself(stream: EventStream) -> None:
    made = extrapolate(stream, stream, 7)
    assert made is not None
    assert find_peak(made) == find_peak(stream)

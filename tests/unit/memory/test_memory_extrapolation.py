"""Shallow traces give the whole model to the byte: for every architecture, method by method."""

from dataclasses import replace
from typing import Any

import pytest
from tiny_configs import TINY_CONFIGS

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.errors import ModelError
from autopeft.memory.allocator import replay
from autopeft.memory.extrapolate import extrapolate
from autopeft.memory.layer_choice import picks_layers
from autopeft.memory.pricing import trace_at_depth
from autopeft.memory.stream import EventStream, find_peak

CATALOG = load_catalog()
# A method that picks layers is traced whole.
METHODS = sorted(
    method.id
    for method in CATALOG.methods.values()
    if not picks_layers({**method.settings, **{knob.argument: knob.default for knob in method.knobs if knob.argument}})
)
# One of each shape of stream: layers alone, a tensor that spans all layers, modules of its own, everything trained.
SHAPES_OF_STREAM = ("lora", "prefix-tuning", "houlsby", "full")
SOME_METHODS = ("lora", "lora-all", "full", "ia3", "prompt-tuning", *SHAPES_OF_STREAM[1:3])
# One model type per architecture, and those whose layers alternate or whose sides differ in depth.
SOME_TYPES = [spec.model_types[0] for spec in CATALOG.architectures.values()] + ["gemma2", "mbart"]
SHAPE = StepShape(batch_size=4, max_length=64, target_length=32, dtype="bfloat16")
RECOMPUTED = replace(SHAPE, gradient_checkpointing=True)


def _assert_equal(tiny: Any, kind: str, method: str, shape: StepShape = SHAPE, **options: Any) -> None:
    pricing = tiny.pricing(kind, method, shape, **options)
    try:
        whole = pricing.traced()
    except ModelError as error:
        pytest.skip(error.message)
    made, how = trace_at_depth(pricing)
    assert "repeated to" in how
    assert find_peak(made.stream) == find_peak(whole.stream)
    assert find_peak(made.stream, int) == find_peak(whole.stream, int)
    assert replay(made.stream) == replay(whole.stream)
    # Every storage in its order; what an optimizer frees in one go may come in another order where two sides meet.
    assert (made.stream.sizes, made.stream.labels) == (whole.stream.sizes, whole.stream.labels)
    assert len(made.stream.events) == len(whole.stream.events)
    assert made.stream.step_flops == whole.stream.step_flops
    assert made.stream.operations == whole.stream.operations
    assert made.counts == whole.counts


def test_every_model_type_of_the_catalogue_has_a_tiny_config() -> None:
    assert {name for spec in CATALOG.architectures.values() for name in spec.model_types} == TINY_CONFIGS.keys()


@pytest.mark.parametrize("kind", SOME_TYPES)
def test_every_architecture_repeats(tiny: Any, kind: str) -> None:
    _assert_equal(tiny, kind, "lora")


@pytest.mark.parametrize("method", SHAPES_OF_STREAM)
def test_every_shape_of_stream_repeats(tiny: Any, method: str) -> None:
    _assert_equal(tiny, "llama", method)


@pytest.mark.parametrize("kind", ["bert", "gemma2"])
def test_recomputed_activations_repeat(tiny: Any, kind: str) -> None:
    _assert_equal(tiny, kind, "lora", RECOMPUTED)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPE, RECOMPUTED], ids=["plain", "checkpointed"])
@pytest.mark.parametrize("method", SOME_METHODS)
@pytest.mark.parametrize("kind", TINY_CONFIGS)
def test_every_model_type_repeats(tiny: Any, kind: str, method: str, shape: StepShape) -> None:
    _assert_equal(tiny, kind, method, shape)


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_every_method_repeats(tiny: Any, kind: str, method: str, padded: bool) -> None:
    _assert_equal(tiny, kind, method, padded=padded)


@pytest.mark.slow
def test_the_published_pattern_of_gemma_3_repeats(tiny: Any) -> None:
    pricing = tiny.pricing("gemma3_text", "lora")
    deep = replace(pricing, model=tiny.model("gemma3_text", num_hidden_layers=34, sliding_window_pattern=6))
    made, how = trace_at_depth(deep)
    assert "10 and 16 layers, repeated to 34" in how
    assert made.stream == deep.traced().stream


def test_a_method_whose_layers_differ_is_traced_whole(tiny: Any) -> None:
    pricing = tiny.pricing("llama", "s4")
    made, how = trace_at_depth(pricing)
    assert how == "traced at full depth" and made.counts == pricing.traced().counts


def test_streams_that_do_not_repeat_are_refused() -> None:
    shallow = EventStream([8, 8], [0, 0], [(0, 0), (0, 1)])
    other = EventStream([8, 24, 8], [0, 3, 0], [(0, 0), (0, 1), (0, 2)])
    assert extrapolate(shallow, other, 4) is None


def test_a_repetition_that_frees_what_never_lived_is_refused() -> None:
    """Each layer frees an older storage than the last one; there are two of them, not twelve."""
    held = [(0, 0), (0, 1), (0, 2)]
    shallow = EventStream([8, 8, 8], [0, 0, 0], [*held, (1, 0)])
    deeper = EventStream([8, 8, 8], [0, 0, 0], [*held, (1, 0), (1, 1)])
    assert extrapolate(shallow, deeper, 10) is None

from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.errors import ModelError
from autopeft.memory.allocator import replay
from autopeft.memory.extrapolate import extrapolate
from autopeft.memory.pricing import trace_at_depth
from autopeft.memory.stream import EventStream, find_peak

METHODS = sorted(load_catalog().methods)
# One of each shape of stream: layers alone, a tensor that spans all layers, modules of its own, everything trained.
SOME = ("lora", "prefix-tuning", "houlsby", "full")


def _assert_equal_to_the_byte(tiny: Any, kind: str, method: str, **options: Any) -> None:
    pricing = tiny.pricing(kind, method, **options)
    try:
        whole = pricing.traced()
    except ModelError as error:
        pytest.skip(error.message)
    made, how = trace_at_depth(pricing)
    assert "repeated to 6" in how
    assert find_peak(made.stream) == find_peak(whole.stream)
    assert find_peak(made.stream, int) == find_peak(whole.stream, int)
    assert replay(made.stream) == replay(whole.stream)
    assert made.stream.step_flops == whole.stream.step_flops
    assert made.counts == whole.counts


@pytest.mark.parametrize("method", SOME)
@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_shallow_traces_give_the_whole_model(tiny: Any, kind: str, method: str) -> None:
    _assert_equal_to_the_byte(tiny, kind, method)


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_shallow_traces_give_the_whole_model_for_every_method(tiny: Any, kind: str, method: str, padded: bool) -> None:
    _assert_equal_to_the_byte(tiny, kind, method, padded=padded)


def test_streams_that_do_not_repeat_are_refused() -> None:
    shallow = EventStream([8, 8], [0, 0], [(0, 0), (0, 1)])
    other = EventStream([8, 24, 8], [0, 3, 0], [(0, 0), (0, 1), (0, 2)])
    assert extrapolate(shallow, other, 4) is None

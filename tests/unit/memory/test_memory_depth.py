from typing import Any

import pytest

from autopeft.domain.models import ModelSpec
from autopeft.memory.depth import Stack, layer_kinds, stacks_of, with_depths


def _model(**config: Any) -> ModelSpec:
    return ModelSpec("m", config)


def test_sides_of_equal_depth_are_one_stack_and_others_two() -> None:
    equal = stacks_of(_model(num_layers=12, num_decoder_layers=12), {})
    assert equal == (Stack(("num_layers", "num_decoder_layers"), 12),)
    different = stacks_of(_model(encoder_layers=12, decoder_layers=6), {})
    assert different == (Stack(("encoder_layers",), 12), Stack(("decoder_layers",), 6))


@pytest.mark.parametrize(
    ("kinds", "period"),
    [
        ([], 1),
        (["full"] * 8, 1),
        (["sliding", "full"] * 4, 2),
        (["full", "sliding", "sliding"] * 3 + ["full"], 3),
        (["full"] * 5 + ["sliding"] * 5, None),
    ],
)
def test_the_period_of_layer_kinds(kinds: list[str], period: int | None) -> None:
    found = stacks_of(_model(num_hidden_layers=len(kinds) or 8), {"layer_types": kinds} if kinds else {})
    assert (found[0].period if found else None) == period


def test_two_lists_of_kinds_count_together() -> None:
    kinds = {"layer_types": ["full"] * 12, "no_rope_layers": [1, 1, 1, 0] * 3}
    found = stacks_of(_model(num_hidden_layers=12), kinds)
    assert found is not None and found[0].period == 4


@pytest.mark.parametrize(
    ("layers", "period", "fewest"), [(32, 1, 2), (26, 2, 2), (27, 2, 3), (26, 6, 8), (22, 3, 4), (36, 4, 4)]
)
def test_shallow_depths_end_as_the_whole_does(layers: int, period: int, fewest: int) -> None:
    stack = Stack(("n_layer",), layers, period)
    assert stack.fewest == fewest
    assert (layers - stack.fewest) % period == 0
    assert stack.is_deep


@pytest.mark.parametrize(("layers", "period"), [(1, 1), (5, 1), (12, 6), (7, 3)])
def test_few_layers_are_not_worth_shallow_traces(layers: int, period: int) -> None:
    assert not Stack(("n_layer",), layers, period).is_deep


def test_a_shallower_model_keeps_the_first_kinds() -> None:
    model = _model(num_hidden_layers=6, layer_types=["a", "a", "b"] * 2, hidden_size=8)
    shallow = with_depths(model, {Stack(("num_hidden_layers",), 6, 3): 4})
    assert shallow.config == {"num_hidden_layers": 4, "layer_types": ["a", "a", "b", "a"], "hidden_size": 8}


def test_kinds_are_read_from_a_config_with_its_defaults() -> None:
    class Config:
        layer_types = ("a", "b")
        no_rope_layers = None
        mlp_layer_types: tuple[str, ...] = ()

    assert layer_kinds(Config()) == {"layer_types": ("a", "b")}

"""A size that does not fit a layer is refused before training, with the nearest that does."""

import pytest
import torch

from autopeft.catalog import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.size_rules import RULES
from autopeft.modeling.wrap import wrap

CATALOG = load_catalog()
# Queries of 96 outputs, values of 48.
CONFIG = {
    "model_type": "llama",
    "hidden_size": 96,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
}
REFUSED = [
    ("c3a", "block_size", 64, "block_size=48"),
    ("vblora", "vector_length", 20, "vector_length=16"),
    ("gralora", "k", 5, "k=4"),
    ("road", "group_size", 32, "group_size=24"),
    ("oft", "block_size", 40, "block_size=32"),
    ("boft", "block_size", 5, "block_size=4"),
    ("fourierft", "n_frequency", 5000, "n_frequency=4608"),
    ("waveft", "n_frequency", 5000, "n_frequency=4608"),
    ("shira", "r", 40, "r=32"),
    ("miss", "r", 128, "r=96"),
]


def wrapped(method_id: str, **knobs: object) -> torch.nn.Module:
    method = CATALOG.method(method_id)
    task = CATALOG.task("causal-lm")
    base = build_on_meta(ModelSpec("small", CONFIG), task, StepShape())
    return wrap(base, method, method.start(100_000) | knobs, task, architecture_of(CONFIG, CATALOG))  # type: ignore[operator]


@pytest.mark.parametrize(("method_id", "knob", "value", "nearest"), REFUSED)
def test_the_nearest_that_fits_is_named(method_id: str, knob: str, value: int, nearest: str) -> None:
    with pytest.raises(ModelError, match=rf"{knob} {value} of {method_id} must .*self_attn") as refused:
        wrapped(method_id, **{"r": 10, knob: value} if method_id == "gralora" else {knob: value})
    assert refused.value.hint.endswith(nearest)


def test_every_rule_is_about_a_knob_of_the_catalogue() -> None:
    arguments = {(m.builder, knob.argument) for m in CATALOG.methods.values() for knob in m.knobs}
    assert {(builder, field) for builder, fields in RULES.items() for field in fields} <= arguments
    assert {CATALOG.method(case[0]).builder for case in REFUSED} == RULES.keys()


def test_what_fits_is_put_on() -> None:
    assert any(p.requires_grad for p in wrapped("c3a", block_size=48).parameters())

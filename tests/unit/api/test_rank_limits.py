"""No rank is proposed that a layer of the model is too narrow for."""

import pytest

from autopeft.api.preparation import Subject
from autopeft.api.rank_limits import within_layers
from autopeft.api.search_ranges import Ranges, with_ranges
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import RankError
from autopeft.memory.structure import wrap_for_trace
from autopeft.modeling.build import build_on_meta

CATALOG = load_catalog()
SHAPE = StepShape()
# Keys and values of two of the four heads: 32 wide, the rest 64.
NARROW = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
SEARCHED = ("lora", "vera", "ia3", "houlsby")


def subject(config: dict[str, object]) -> Subject:
    return Subject(ModelSpec("tiny", config), CATALOG.architectures["llama"], CATALOG.tasks["causal-lm"])


def limited(config: dict[str, object], ranges: Ranges) -> Ranges:
    return within_layers(subject(config), SHAPE, CATALOG.methods, ranges, SEARCHED)


def test_ranks_end_where_the_narrowest_adapted_layer_does() -> None:
    assert limited(NARROW, {}) == {"lora": {"r": (1, 32)}, "vera": {"r": (1, 32)}}


def test_the_greatest_rank_left_works_and_the_next_does_not() -> None:
    about = subject(NARROW)
    base = build_on_meta(about.model, about.task, SHAPE)
    for name in ("lora", "vera"):
        method = with_ranges(CATALOG.methods, limited(NARROW, {}))[name]
        greatest = next(int(knob.high or 0) for knob in method.knobs if knob.name == "r")
        values = {knob.name: knob.default for knob in method.knobs}
        wrap_for_trace(base, method, {**values, "r": greatest}, about.task, about.architecture)
        with pytest.raises(RankError, match="exceeds the size") as refusal:
            wrap_for_trace(base, method, {**values, "r": greatest + 1}, about.task, about.architecture)
        assert refusal.value.greatest == greatest


def test_ranges_of_rules_stay_where_the_model_allows_them() -> None:
    wide = NARROW | {"hidden_size": 1024, "intermediate_size": 2048, "num_key_value_heads": 4}
    given = {"lora": {"r": (1, 256)}, "houlsby": {"bottleneck": (4, 64)}}
    assert limited(wide, given) == given
    assert limited(NARROW, given) == {
        "lora": {"r": (1, 32)},
        "houlsby": {"bottleneck": (4, 64)},
        "vera": {"r": (1, 32)},
    }

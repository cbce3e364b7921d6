"""A base that is too large in its own precision is tried in 4 bits, where that is allowed and the method can."""

from dataclasses import replace
from types import MappingProxyType

from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import Capability
from autopeft.domain.recommendation import Recommendation
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.options import Options
from tests.unit.recommend.factories import ARCHITECTURE, GIB, MODEL, TASK, TableEstimator, method

CAN = MappingProxyType({"quantized_base": Capability(True, "tried")})
CANNOT = MappingProxyType({"quantized_base": Capability(False, "tried")})


class Quantisable(TableEstimator):
    """A quantised base takes a quarter of the memory."""

    def __call__(self, *arguments: object) -> MemoryEstimate:  # type: ignore[override]
        found = super().__call__(*arguments)  # type: ignore[arg-type]
        shape = arguments[4]
        assert isinstance(shape, StepShape)
        scale = 4 if shape.quantization else 1
        return replace(found, reserved_bytes=found.reserved_bytes // scale)


def ask(**options: object) -> Recommendation:
    methods = [method("lora", capabilities=CAN), method("loha", capabilities=CANNOT)]
    return recommend_methods(
        MODEL, TASK, ARCHITECTURE, base_parameters=10**9, methods=methods, rules=(),
        estimator=Quantisable({"lora": (16 * GIB, 1), "loha": (16 * GIB, 1)}),
        options=Options(context_bytes=0, **options),  # type: ignore[arg-type]
    )  # fmt: skip


def test_four_bits_are_tried_only_where_the_base_does_not_fit() -> None:
    (one,) = ask(budget_bytes=8 * GIB, may_quantize=True).candidates
    assert (one.method, one.shape.quantization, one.to_dict()["quantization"]) == ("lora", "nf4", "nf4")
    assert "precision" in {reason.rule for reason in one.reasons}
    both = ask(budget_bytes=20 * GIB, may_quantize=True).candidates
    assert {one.shape.quantization for one in both} == {None}


def test_the_precision_is_kept_where_that_is_asked() -> None:
    assert not ask(budget_bytes=8 * GIB).candidates


def test_weights_that_alone_are_too_large_go_to_four_bits_at_once() -> None:
    (one,) = ask(budget_bytes=int(1.9e9), may_quantize=True).candidates or (None,)
    assert one is None, "16 GiB in 4 bits are 4 GiB here"
    answer = recommend_methods(
        MODEL, TASK, ARCHITECTURE, base_parameters=10**9, methods=[method("lora", capabilities=CAN)], rules=(),
        estimator=(estimator := Quantisable({"lora": (4 * GIB, 1)})),
        options=Options(context_bytes=0, budget_bytes=int(1.9e9), may_quantize=True),
    )  # fmt: skip
    assert answer.candidates[0].shape.quantization == "nf4"
    assert len(estimator.asked) == 1, "nothing is traced in a precision that cannot fit"

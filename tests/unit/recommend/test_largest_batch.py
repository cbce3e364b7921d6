"""The largest batch that fits, over estimates of a simple law."""

import pytest

from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.errors import ModelError
from autopeft.recommend.batch import FittedStep, fit_step, largest_batch

FIXED, PER_SEQUENCE, RECOMPUTED = 1000, 100, 20


class Law:
    """Reserved bytes affine in the batch, less steep with recomputation; counts what is traced."""

    def __init__(self, *, recomputes: bool = True, phase: str = "backward", bump: int = 0) -> None:
        self.traced: list[StepShape] = []
        self._recomputes = recomputes
        self._phase = phase
        self._bump = bump

    def needs(self, shape: StepShape) -> int:
        each = RECOMPUTED if shape.gradient_checkpointing else PER_SEQUENCE
        accumulated = 5 if shape.accumulation > 1 else 0
        # Not quite affine, as an allocator's rounding makes it, but never falling.
        return FIXED + each * shape.batch_size + accumulated + (self._bump if shape.batch_size > 5 else 0)

    def __call__(self, shape: StepShape) -> MemoryEstimate:
        assert shape not in self.traced, "traced twice"
        self.traced.append(shape)
        if shape.gradient_checkpointing and not self._recomputes:
            raise ModelError("cannot recompute")
        needed = self.needs(shape)
        parts = dict.fromkeys(COMPONENTS, 0) | {"weights": FIXED, "activations": needed - FIXED}
        return MemoryEstimate("m", "lora", {}, 1, 1, 2, parts, needed, needed, self._phase, 10)


def fit(law: Law, budget: int | None, asked: StepShape | None = None, *, may_recompute: bool = True) -> FittedStep:
    return fit_step(
        law,
        asked or StepShape(batch_size=16),
        budget_bytes=budget,
        context_bytes=50,
        may_recompute=may_recompute,
    )


def test_without_a_budget_the_step_stays_as_it_was_asked_for() -> None:
    law = Law()
    found = fit(law, None)
    assert (found.fits, found.shape, len(law.traced)) == (None, StepShape(batch_size=16), 1)


def test_what_fits_as_asked_is_not_split() -> None:
    law = Law()
    found = fit(law, FIXED + 16 * PER_SEQUENCE + 50)
    assert found.fits and found.shape.batch_size == 16 and found.shape.accumulation == 1
    assert len(law.traced) == 1


@pytest.mark.parametrize("budget", range(900, 2800, 37))
@pytest.mark.parametrize("bump", [0, 90])
def test_the_answer_is_that_of_trying_everything(budget: int, bump: int) -> None:
    law = Law(bump=bump)
    found = fit(law, budget)
    shapes = [
        StepShape(batch_size=size, accumulation=16 // size, gradient_checkpointing=recompute)
        for recompute in (False, True)
        for size in (16, 8, 4, 2, 1)
    ]
    expected = next((shape for shape in shapes if law.needs(shape) + 50 <= budget), None)
    assert found.fits == (expected is not None)
    assert found.shape == (expected or shapes[-1])
    assert found.estimate.reserved_bytes == law.needs(found.shape)
    assert found.asked.reserved_bytes == law.needs(StepShape(batch_size=16))
    assert found.shape in law.traced, "an answer is traced, never predicted"
    assert found.shape.batch_size * found.shape.accumulation == 16


def test_few_traces_are_enough() -> None:
    law = Law()
    assert fit(law, FIXED + 4 * PER_SEQUENCE + 60).shape.batch_size == 4
    assert len(law.traced) == 2


@pytest.mark.parametrize(("recomputes", "may"), [(False, True), (True, False)])
def test_where_nothing_can_be_recomputed_the_leanest_is_one_sequence(recomputes: bool, may: bool) -> None:
    found = fit(Law(recomputes=recomputes), FIXED + 70, may_recompute=may)
    assert not found.fits
    assert (found.shape.batch_size, found.shape.gradient_checkpointing) == (1, False)


def test_a_batch_that_was_to_be_recomputed_is_recomputed() -> None:
    asked = StepShape(batch_size=16, gradient_checkpointing=True)
    found = fit(Law(), FIXED + 8 * RECOMPUTED + 60, asked)
    assert found.fits and found.shape.gradient_checkpointing and found.shape.batch_size == 8


def test_an_optimizer_that_does_not_fit_is_not_helped_by_small_batches() -> None:
    law = Law(phase="optimizer")
    law.needs = lambda shape: 5000  # type: ignore[method-assign]
    assert not fit(law, 2000).fits
    assert len(law.traced) <= 3


@pytest.mark.parametrize("budget", [1040, 1150, 1151, 1777, 2050, 41_049, 10**7])
def test_the_largest_batch_of_any_size(budget: int) -> None:
    law = Law()
    found = largest_batch(law, StepShape(batch_size=8), most=400, budget_bytes=budget, context_bytes=50)
    size = min(400, (budget - 50 - FIXED) // PER_SEQUENCE)
    assert (found[0] if found else 0) == max(size, 0)
    assert len(law.traced) <= 5

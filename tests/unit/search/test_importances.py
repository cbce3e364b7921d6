"""Importances name the choice that decided, and stay silent where there is too little to go by."""

import random
from dataclasses import replace
from typing import Any

import pytest

from autopeft.catalog import load_catalog
from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.importances import LEAST_TRIALS, importances


def slice_of(loss: float, step: int = 16) -> SliceResult:
    return SliceResult(step, loss, 0.01, 0.5, 0.01, (), 1.0, 1.0, 2.0)


@pytest.fixture(scope="module")
def methods() -> dict[str, MethodSpec]:
    catalog = load_catalog()
    return {name: catalog.methods[name] for name in ("lora", "bitfit")}


def trials(methods: dict[str, MethodSpec], count: int, loss: Any) -> list[TrialRecord]:
    drawn = random.Random(7)
    made = []
    for number in range(count):
        method = methods[("lora", "bitfit")[number % 2]]
        values = {
            knob.name: drawn.choice(knob.choices)
            if knob.kind == "categorical"
            else drawn.randint(int(knob.low or 0), int(knob.high or 0))
            if knob.kind == "int"
            else drawn.uniform(float(knob.low or 0), float(knob.high or 0))
            for knob in method.knobs
        }
        spec = TrialSpec(number, method.id, values, seed=0)
        made.append(TrialRecord(spec, "paused", [slice_of(loss(method.id, values))]))
    return made


def test_the_method_that_decides_comes_first(methods: dict[str, MethodSpec]) -> None:
    found = importances(trials(methods, 60, lambda method, values: float(method == "bitfit")), methods)
    assert found is not None
    shares = found["shares"]
    assert max(shares, key=shares.get) == "method"
    assert sum(shares.values()) == pytest.approx(1)
    assert found["trials"] == 60 and found["step"] == 16


def test_a_hyperparameter_that_decides_comes_first(methods: dict[str, MethodSpec]) -> None:
    made = trials(methods, 120, lambda method, values: abs(values["learning_rate"] - 1e-3) if method == "lora" else 5.0)
    shares = importances(made, methods)["shares"]
    own = {name: share for name, share in shares.items() if name.startswith("lora.")}
    assert max(own, key=own.get) == "lora.learning_rate"


def test_too_few_trials_or_no_choice_give_none(methods: dict[str, MethodSpec]) -> None:
    def loss(method: str, values: dict[str, Any]) -> float:
        return float(values["learning_rate"])

    assert importances([], methods) is None
    assert importances(trials(methods, LEAST_TRIALS - 1, loss), methods) is None
    knobless = {"lora": replace(methods["lora"], knobs=())}
    alone = [replace_method(trial) for trial in trials(methods, 30, loss)]
    assert importances(alone, knobless) is None


def replace_method(trial: TrialRecord) -> TrialRecord:
    return replace(trial, spec=replace(trial.spec, method="lora"))


def test_trials_that_failed_stopped_elsewhere_or_lie_out_of_range_do_not_count(methods: dict[str, MethodSpec]) -> None:
    made = trials(methods, 40, lambda method, values: float(values["learning_rate"]))
    for trial in made[:10]:
        trial.slices = [replace(trial.slices[0], to_step=48)]
    for trial in made[10:14]:
        trial.slices, trial.state = [], "failed"
    own = replace(made[20].spec, hyperparameters=dict(made[20].spec.hyperparameters) | {"learning_rate": 1e9})
    made[20].spec = own
    made[22].spec = replace(made[22].spec, hyperparameters={})
    assert importances(made, methods)["trials"] == 24

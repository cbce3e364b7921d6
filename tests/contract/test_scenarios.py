"""In the published grid of situations every rule fires, and taking any one out changes an answer."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.rules import Rule

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scenarios.py"
RULES = [pytest.param(rule, id=rule.id) for rule in load_catalog().rules.values()]
MOST_NOTES = 6


@pytest.fixture(scope="module")
def scenarios() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_scenarios", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def grid(scenarios: ModuleType) -> object:
    return scenarios.Grid()


@pytest.mark.parametrize("rule", RULES)
def test_taking_a_rule_out_changes_an_answer(rule: Rule, grid: object) -> None:
    fires_in = grid.fires_in(rule)  # type: ignore[attr-defined]
    assert fires_in, "no situation of benchmarks/scenarios/ makes it fire"
    assert len(fires_in) < len(grid.scenarios) or "architecture_kind != null" in rule.when  # type: ignore[attr-defined]
    if grid.only_told(rule):  # type: ignore[attr-defined]
        told = grid.answers[fires_in[0].name, True].candidates  # type: ignore[attr-defined]
        assert any(reason.rule == rule.id for candidate in told for reason in candidate.reasons)
    else:
        assert next(grid.moved_by(rule), None), "order, starts, ranges and exclusions are the same without it"


def test_few_rules_only_tell(grid: object) -> None:
    notes = [rule.id for rule in grid.rules if grid.only_told(rule)]  # type: ignore[attr-defined]
    assert len(notes) <= MOST_NOTES


def test_the_same_question_has_the_same_answer(grid: object, scenarios: ModuleType) -> None:
    for one in grid.scenarios[::10]:  # type: ignore[attr-defined]
        again = scenarios.answer(grid.catalog, one, grid.rules, grid.tables[0])  # type: ignore[attr-defined]
        assert again == grid.answers[one.name, True]  # type: ignore[attr-defined]

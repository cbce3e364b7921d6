"""Every rule of the catalogue keeps its own promise: it reads, its cases hold, it names what exists."""

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.expression import parse_expression
from autopeft.domain.facts import FACTS
from autopeft.domain.rules import Rule

CATALOG = load_catalog()
RULES = [pytest.param(rule, id=rule.id) for rule in CATALOG.rules.values()]


def test_there_are_rules_for_every_theme() -> None:
    assert len(RULES) >= 20


@pytest.mark.parametrize("rule", RULES)
def test_its_cases_hold(rule: Rule) -> None:
    condition = parse_expression(rule.when)
    for case in rule.cases:
        assert set(case.given) <= set(FACTS), "a case names a fact that does not exist"
        assert condition.holds(case.given) is case.fires, case.given


@pytest.mark.parametrize("rule", RULES)
def test_it_fires_only_on_what_it_asks_for(rule: Rule) -> None:
    condition = parse_expression(rule.when)
    assert not condition.holds({}), "a rule must not fire when nothing is known"
    for case in rule.cases:
        if case.fires:
            assert condition.holds({name: case.given.get(name) for name in condition.names})


@pytest.mark.parametrize("rule", RULES)
def test_it_names_methods_that_exist(rule: Rule) -> None:
    families = {method.family for method in CATALOG.methods.values()}
    for effect in rule.effects:
        for name in effect.methods:
            assert name == "*" or name in families or name in CATALOG.methods


@pytest.mark.parametrize("rule", RULES)
def test_it_says_where_it_comes_from(rule: Rule) -> None:
    assert rule.source.ref and rule.source.where
    assert (rule.status == "prior") == ("recalled" in rule.source.where)


@pytest.mark.parametrize("rule", RULES)
def test_quality_never_excludes(rule: Rule) -> None:
    asks_for_quality = parse_expression(rule.when).names & {
        "training_rows",
        "trials",
        "few_trials",
        "epochs",
        "priority",
    }
    if any(effect.kind == "exclude" for effect in rule.effects):
        assert not asks_for_quality, "only what is impossible excludes"


def test_bitfit_is_excluded_where_there_are_no_biases() -> None:
    excluding = [rule for rule in CATALOG.rules.values() for effect in rule.effects if effect.kind == "exclude"]
    without = [rule.id for rule in excluding if parse_expression(rule.when).holds({"has_biases": False})]
    assert without == ["P18"]

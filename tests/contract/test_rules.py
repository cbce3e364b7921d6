"""Every rule of the catalogue keeps its own promise: it reads, its cases hold, it means somebody, it is founded."""

import re

import pytest
from method_cases import REFUSED

from autopeft.catalog.load import load_catalog
from autopeft.domain.expression import parse_expression
from autopeft.domain.facts import FACTS
from autopeft.domain.rules import Rule
from autopeft.domain.selectors import means
from autopeft.domain.wording import condition_in_words, effect_in_words
from autopeft.recommend.advice import advised
from autopeft.recommend.engine import judge

CATALOG = load_catalog()
RULES = [pytest.param(rule, id=rule.id) for rule in CATALOG.rules.values()]


def test_there_are_rules_for_every_theme() -> None:
    assert len(RULES) >= 60


@pytest.mark.parametrize("rule", RULES)
def test_its_cases_hold(rule: Rule) -> None:
    condition = parse_expression(rule.when)
    assert len(rule.cases) >= 2
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
def test_each_of_its_effects_reaches_a_method(rule: Rule) -> None:
    for effect in rule.effects:
        meant = [method for method in CATALOG.methods.values() if means(effect, method)]
        assert meant
        if effect.kind in ("prefer", "penalise"):
            assert all(judge(method, [rule]).reasons for method in meant)
        if effect.knob:
            assert any(advised(method, [rule]) != method for method in meant)


@pytest.mark.parametrize("rule", RULES)
def test_it_says_where_it_comes_from(rule: Rule) -> None:
    assert rule.source.ref and rule.source.where and rule.source.says
    assert (rule.status == "prior") == ("recalled" in rule.source.where)
    assert (rule.status == "prior") == (rule.confidence < 1)


@pytest.mark.parametrize("rule", RULES)
def test_a_prior_says_so_with_each_method_it_moves(rule: Rule) -> None:
    for method in CATALOG.methods.values():
        for reason in judge(method, [rule]).reasons:
            assert reason.source.startswith("prior") == (rule.status == "prior")


@pytest.mark.parametrize("rule", RULES)
def test_it_can_be_told_in_words(rule: Rule) -> None:
    words = condition_in_words(rule.when)
    names = parse_expression(rule.when).names
    assert all(FACTS[name].phrase in words or FACTS[name].otherwise in words for name in names)
    assert not re.search(r"[<>=_]|null", words)
    for effect in rule.effects:
        assert all(name in effect_in_words(effect) for name in effect.methods if name in CATALOG.methods)


@pytest.mark.parametrize("rule", RULES)
def test_quality_never_excludes(rule: Rule) -> None:
    if any(effect.kind in ("exclude", "require") for effect in rule.effects):
        quality = {"training_rows", "trials", "few_trials", "epochs", "priority", "adapters_to_serve"}
        assert not parse_expression(rule.when).names & quality, "only what is impossible excludes"


def test_bitfit_is_excluded_where_there_are_no_biases() -> None:
    fired = [rule for rule in CATALOG.rules.values() if parse_expression(rule.when).holds({"has_biases": False})]
    assert [reason.rule for reason in judge(CATALOG.methods["bitfit"], fired).exclusions] == ["P18"]
    assert not judge(CATALOG.methods["lora"], fired).exclusions


def test_prompts_that_wrapping_refuses_on_a_decoder_that_classifies_are_not_recommended_there() -> None:
    facts = {"architecture_kind": "decoder", "task": "sequence-classification"}
    fired = [rule for rule in CATALOG.rules.values() if parse_expression(rule.when).holds(facts)]
    excluded = {one.id for one in CATALOG.methods.values() if judge(one, fired).exclusions}
    assert excluded == set(REFUSED["llama-classifier"])

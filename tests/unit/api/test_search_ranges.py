"""A search samples from the ranges that the rules give, and keeps them in its plan."""

import json
from dataclasses import replace

from autopeft.api.planning import Choice
from autopeft.api.search_ranges import rule_ranges, with_ranges
from autopeft.catalog.load import load_catalog
from autopeft.search.sampler import Proposal, distributions_of

CATALOG = load_catalog()
T5 = {"architecture_kind": "encoder-decoder", "model_parameters": 2.85e9, "epochs": 3, "few_trials": False}
SEARCHED = ("prompt-tuning", "lora")


def test_only_what_the_rules_change_is_kept() -> None:
    ranges = rule_ranges(CATALOG, T5, SEARCHED, ())
    assert ranges == {"prompt-tuning": {"virtual_tokens": (1, 20)}}
    methods = with_ranges(CATALOG.methods, ranges)
    assert methods["lora"] == CATALOG.methods["lora"]
    assert distributions_of(methods["prompt-tuning"])["prompt-tuning.virtual_tokens"].high == 20  # type: ignore[attr-defined]
    assert rule_ranges(CATALOG, {"architecture_kind": None}, SEARCHED, ()) == {}


def test_a_start_that_somebody_asked_for_stays_within_the_range() -> None:
    start = Proposal("prompt-tuning", {"virtual_tokens": 64, "learning_rate": 1e-2})
    assert rule_ranges(CATALOG, T5, SEARCHED, [start])["prompt-tuning"] == {"virtual_tokens": (1, 64)}


def test_a_wider_range_reaches_the_sampler() -> None:
    summaries = T5 | {"task": "summarization", "task_type": "generation", "generates": True}
    methods = with_ranges(CATALOG.methods, rule_ranges(CATALOG, summaries, ("lora",), ()))
    assert distributions_of(methods["lora"])["lora.r"].high == 256  # type: ignore[attr-defined]


def test_a_resumed_search_has_the_same_ranges() -> None:
    ranges = rule_ranges(CATALOG, T5, SEARCHED, ())
    choice = Choice(SEARCHED, (), None, (), (), ranges)
    assert Choice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice
    plain = choice.to_dict()
    del plain["ranges"]
    assert Choice.from_dict(plain) == replace(choice, ranges={})

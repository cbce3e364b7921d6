"""What a search begins with: what somebody measured near, and a plan's values where there is one."""

import pytest

from autopeft.api.planning import choose
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.plan import SearchRequest
from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.domain.rules import Reason
from autopeft.errors import UsageError
from autopeft.recommend.facts import gather_facts
from autopeft.recommend.options import Options
from tests.unit.cli.stand_in import StandIn

CATALOG = load_catalog()
TASK = CATALOG.task("causal-lm")
MODEL = CATALOG.models["gpt2"]


def candidate(rank: int, method: str, score: float, basis: str) -> Candidate:
    spec = CATALOG.methods[method]
    start = spec.start(10**8)
    estimate = StandIn()(MODEL, TASK, spec, start, StepShape())
    reasons = (Reason("P01", "because", "somewhere", score),)
    return Candidate(rank, method, spec.title, score, True, estimate, reasons, start, StepShape(), basis)  # type: ignore[arg-type]


def answer() -> Recommendation:
    facts = gather_facts(MODEL, TASK, CATALOG.architectures["gpt2"], 10**8, Options())
    candidates = (
        candidate(1, "lora", 1.0, "near"),
        candidate(2, "miss", 0.9, "unknown"),
        candidate(3, "dora", 0.5, "variant"),
        candidate(4, "prompt-tuning", -4.0, "near"),
    )
    return Recommendation("gpt2", "causal-lm", None, candidates, (), facts)


def asked(**fields: object) -> SearchRequest:
    return SearchRequest(model="gpt2", dataset="d", task="causal-lm", **fields)  # type: ignore[arg-type]


def test_what_is_unknown_or_far_below_waits_until_it_is_named() -> None:
    choice = choose(asked(), answer(), CATALOG)
    assert choice.searched == ("lora", "dora")
    left = {one["method"]: one["reasons"][0] for one in choice.excluded}
    assert "nobody measured" in left["miss"]
    assert "ranks it last" in left["prompt-tuning"]
    assert choose(asked(methods=("miss",)), answer(), CATALOG).searched == ("miss",)


def test_a_plans_values_are_what_is_begun_with() -> None:
    starts = {"lora": {"learning_rate": 3e-4, "r": 4}}
    choice = choose(asked(methods=("lora", "dora"), starts=starts), answer(), CATALOG)
    begun = {one.method: one.hyperparameters for one in choice.starts}
    assert (begun["lora"]["learning_rate"], begun["lora"]["r"]) == (3e-4, 4)
    assert begun["dora"] == dict(answer().candidates[2].start)


@pytest.mark.parametrize("values", [{"rank": 4}, {"r": 100_000}, {"learning_rate": 5.0}])
def test_a_plan_with_a_value_that_the_method_does_not_take_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        choose(asked(methods=("lora",), starts={"lora": values}), answer(), CATALOG)


def test_a_request_with_starts_survives_its_plan_file() -> None:
    request = asked(methods=("lora",), starts={"lora": {"r": 4}})
    assert SearchRequest.from_dict(request.to_dict()) == request

"""The recommendation: ranking, exclusions, and a score that can be taken apart."""

import math

import pytest

from autopeft.domain.recommendation import Recommendation
from autopeft.domain.rules import Rule
from autopeft.errors import ModelError, NothingFitsError
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.fit import require_candidates
from autopeft.recommend.options import Options
from tests.unit.recommend.factories import ARCHITECTURE, GIB, MODEL, TASK, TableEstimator, method, rule

TABLE = {"lora": (4 * GIB, 100), "ia3": (4 * GIB, 100), "dora": (8 * GIB, 200)}


def ask(
    *names: str, rules: tuple[Rule, ...] = (), table: dict[str, tuple[int, int]] = TABLE, **options: object
) -> Recommendation:
    return recommend_methods(
        MODEL,
        TASK,
        ARCHITECTURE,
        base_parameters=10**6,
        methods=[method(name) for name in names],
        # The last one never fires: it makes the methods such that the catalogue knows something about.
        rules=(*rules, rule("K1", "training_rows == 1", "note", names)),
        estimator=TableEstimator(table),
        options=Options(context_bytes=GIB, **options),  # type: ignore[arg-type]
    )


def ids(answer: Recommendation) -> list[str]:
    return [one.method for one in answer.candidates]


def test_rules_decide_between_methods_of_equal_cost() -> None:
    assert ids(ask("ia3", "lora", rules=(rule("P01", "few_trials", "prefer", ("lora",)),))) == ["lora", "ia3"]
    assert ids(ask("lora", "ia3", rules=(rule("P01", "few_trials", "penalise", ("lora",)),))) == [
        "ia3",
        "lora",
    ]
    assert ids(ask("lora", "ia3", rules=(rule("P01", "not few_trials", "penalise", ("lora",)),))) == [
        "ia3",
        "lora",
    ]


def test_twice_the_compute_and_memory_costs_what_the_ranking_documents() -> None:
    lora, dora = ask("lora", "dora").candidates
    assert (lora.method, dora.method) == ("lora", "dora")
    assert lora.score - dora.score == pytest.approx(1.0 + 0.5)
    lora, dora = ask("lora", "dora", priority="memory").candidates
    assert lora.score - dora.score == pytest.approx(2.0 + 0.5)


def test_a_score_is_the_sum_of_its_reasons() -> None:
    answer = ask(
        "lora",
        "ia3",
        "dora",
        rules=(rule("P01", "few_trials", "prefer", ("lora",), 2), rule("N1", "true", "note", ("*",))),
    )
    for one in answer.candidates:
        assert one.score == pytest.approx(math.fsum(reason.score for reason in one.reasons))
        assert {"memory", "compute", "N1"} <= {reason.rule for reason in one.reasons}
        assert all(reason.source for reason in one.reasons)


def test_every_method_is_either_ranked_or_left_out_with_a_reason() -> None:
    rules = (rule("X1", "not has_biases", "exclude", ("bitfit",)),)
    answer = ask("lora", "bitfit", "mystery", "dora", rules=rules, budget_bytes=6 * GIB)
    assert ids(answer) == ["lora"]
    why = {one.method: one.reasons[0] for one in answer.excluded}
    assert why["bitfit"].rule == "X1"
    assert why["mystery"].text.startswith("unknown: ")
    assert why["dora"].rule == "memory"
    assert {one.method for one in answer.excluded if one.estimate} == {"dora"}


def test_an_excluded_method_is_not_estimated() -> None:
    estimator = TableEstimator(TABLE)
    recommend_methods(
        MODEL,
        TASK,
        ARCHITECTURE,
        base_parameters=1,
        methods=[method("lora")],
        rules=[rule("X1", "true", "exclude", ("lora",))],
        estimator=estimator,
        options=Options(),
    )
    assert estimator.asked == []


def test_the_device_context_counts_against_the_budget() -> None:
    assert ids(ask("lora", budget_bytes=5 * GIB)) == ["lora"]
    assert ids(ask("lora", budget_bytes=5 * GIB - 1)) == []
    assert ask("lora", budget_bytes=5 * GIB).candidates[0].fits is True
    assert ask("lora").candidates[0].fits is None


def test_the_catalogue_rules_out_tasks_and_architectures() -> None:
    methods = [
        method("a", tasks=("text-to-text",)),
        method("b", architectures=("encoder",)),
        method("c", requires=("has_biases",)),
    ]
    answer = recommend_methods(
        MODEL,
        TASK,
        ARCHITECTURE,
        base_parameters=1,
        methods=methods,
        rules=(),
        estimator=TableEstimator({}),
        options=Options(),
    )
    assert [one.reasons[0].rule for one in answer.excluded] == ["catalog"] * 3


def test_a_control_stands_behind_a_candidate_until_an_objective_is_named() -> None:
    def ranked(**options: object) -> list[str]:
        methods = [method("full", role="control"), method("lora")]
        rules = [rule("E02", "training_rows >= 10000", "prefer", ("full",), 1)]
        table = {"full": (4 * GIB, 100), "lora": (4 * GIB, 100)}
        answer = recommend_methods(
            MODEL, TASK, ARCHITECTURE, base_parameters=1, methods=methods, rules=rules,
            estimator=TableEstimator(table), options=Options(training_rows=20_000, **options),  # type: ignore[arg-type]
        )  # fmt: skip
        return ids(answer)

    assert ranked() == ["lora", "full"]
    assert ranked(priority="quality") == ["full", "lora"]


def test_a_prior_is_marked_as_such() -> None:
    (one,) = ask("lora", rules=(rule("R02", "true", "prefer", ("lora",), status="prior"),)).candidates
    (reason,) = [reason for reason in one.reasons if reason.rule == "R02"]
    assert reason.source.startswith("prior")


def test_starting_values_follow_the_size_of_the_model() -> None:
    assert ask("lora").candidates[0].start == {"learning_rate": 1e-2}


def test_nothing_fits_names_the_nearest_and_what_it_needs() -> None:
    answer = ask("dora", "lora", budget_bytes=2 * GIB)
    with pytest.raises(NothingFitsError, match=r"nearest, LORA, needs 5 GiB") as refused:
        require_candidates(answer)
    assert "--max-length below" in str(refused.value.hint)


def test_a_model_that_no_method_can_be_traced_on_is_a_bad_model() -> None:
    with pytest.raises(ModelError, match="mystery cannot be traced"):
        require_candidates(ask("mystery", budget_bytes=GIB))


def test_methods_that_cannot_be_used_are_no_fault() -> None:
    with pytest.raises(NothingFitsError, match="because X1"):
        require_candidates(ask("lora", rules=(rule("X1", "true", "exclude", ("lora",)),)))


def test_the_answer_is_plain_json() -> None:
    plain = ask("lora", "dora", budget_bytes=6 * GIB).to_dict()
    assert plain["candidates"][0]["rank"] == 1
    assert set(plain["candidates"][0]) >= {
        "score",
        "fits",
        "reasons",
        "start",
        "peak_bytes",
        "components_bytes",
    }
    assert plain["excluded"][0]["reasons"][0]["rule"] == "memory"
    assert plain["facts"]["memory_ratio"] == pytest.approx(6 * GIB / 2e6)


def test_the_fewer_the_trials_the_more_an_uncertainty_counts() -> None:
    def lost(trials: int) -> float:
        (candidate,) = ask("ia3", trials=trials).candidates
        return next(-reason.score for reason in candidate.reasons if reason.rule == "uncertainty")

    assert lost(4) == pytest.approx(lost(1) / 2)
    assert lost(1) > lost(3) > lost(4) > lost(50) > 0

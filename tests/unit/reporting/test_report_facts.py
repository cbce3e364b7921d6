"""The facts are the figures of the report, before any renderer."""

import math
from typing import Any

import pytest

from autopeft.errors import InputError
from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.markdown import render_markdown


def test_the_winner_leads_and_each_group_is_ordered_by_the_metric(full: dict[str, Any]) -> None:
    report = read_report(full)
    names = [(contender.kind, contender.label) for contender in report.contenders]
    assert names == [
        ("candidate", "LoRA on all linear layers"),
        ("candidate", "DoRA"),
        ("control", "plain LoRA"),
        ("control", "head only"),
        ("baseline", "tf-idf + logistic regression"),
        ("baseline", "linear probe"),
        ("baseline", "majority class"),
    ]
    assert report.winner is report.contenders[0]
    assert [run.metric for run in report.winner.seeds] == [0.5725, 0.565]
    assert report.winner.mean == pytest.approx(0.56875)


def test_a_metric_to_minimise_turns_order_and_relation_around(unpaired: dict[str, Any]) -> None:
    unpaired["metric"] = {"name": "error", "maximize": False}
    report = read_report(unpaired)
    assert [c.label for c in report.contenders if c.kind == "control"] == ["head only", "plain LoRA"]
    gaps = {contender.label: contender.gap for contender in report.contenders}
    assert gaps["head only"].relation == "better"


def test_the_gap_is_on_the_test_split_with_the_error_of_a_difference(unpaired: dict[str, Any]) -> None:
    gap = read_report(unpaired).control.gap
    assert gap.split == "test"
    assert gap.difference == pytest.approx(0.5350 - 0.56875)
    assert gap.error == pytest.approx(math.hypot(0.01752, 0.01765))
    assert gap.relation == "worse"


def test_a_gap_within_one_standard_error_is_a_tie(unpaired: dict[str, Any]) -> None:
    unpaired["confirmed"][2]["test_metric"] = 0.56875 - 0.024
    assert read_report(unpaired).control.gap.relation == "tie"


def test_rows_answered_by_both_decide_where_they_were_compared(full: dict[str, Any]) -> None:
    gap = read_report(full).control.gap
    assert (gap.difference, gap.error, gap.split, gap.relation, gap.paired) == (-0.03375, 0.0302, "test", "worse", True)
    full["confirmed"][2]["winner_lead"]["half_width"] = 0.034
    assert read_report(full).control.gap.relation == "tie"
    full["metric"] = {"name": "error", "maximize": False}
    full["confirmed"][2]["winner_lead"] |= {"metric": "loss", "half_width": 0.01}
    plain = next(c for c in read_report(full).contenders if c.label == "plain LoRA")
    assert (plain.gap.difference, plain.gap.error, plain.gap.relation) == (pytest.approx(-0.03375), None, "worse")
    assert "worse by loss, row by row" in render_markdown(read_report(full), [], "report_files")
    assert "worse by loss, row by row" in render_html(read_report(full))
    full["confirmed"][2]["winner_lead"]["metric"] = "error"
    plain = next(contender for contender in read_report(full).contenders if contender.label == "plain LoRA")
    assert plain.gap.difference == 0.03375


def test_a_control_that_won_is_compared_with_nothing(full: dict[str, Any]) -> None:
    assert read_report(full).unbeaten is None
    full["confirmed"][2]["trial"] = full["best"]["trial"]
    report = read_report(full)
    assert (report.unbeaten.label, report.unbeaten.gap) == ("plain LoRA", None)
    assert report.control.label == "head only"
    assert "it was not beaten: it is the winner" in render_html(report)


def test_without_a_test_figure_the_seeds_decide(full: dict[str, Any]) -> None:
    other = read_report(full).contenders[1]
    assert other.test is None
    assert other.gap.split == "validation"
    assert other.gap.relation == "tie"


def test_one_seed_gives_no_spread_and_no_verdict_of_its_own(unpaired: dict[str, Any]) -> None:
    unpaired["best"]["test_metric"] = unpaired["confirmed"][0]["test_metric"] = None
    head = next(c for c in read_report(unpaired).contenders if c.label == "head only")
    assert (head.spread, head.gap.error, head.gap.relation) == (None, None, "unknown")


def test_where_the_metric_is_the_loss_the_loss_is_the_score(full: dict[str, Any]) -> None:
    full["metric"] = {"name": "loss", "maximize": False}
    for run in full["confirmed"][0]["runs"] + full["best"]["runs"]:
        run["validation_metric"] = None
    full["best"]["test_metric"] = None
    report = read_report(full)
    assert [run.metric for run in report.winner.seeds] == [run.loss for run in report.winner.seeds]
    assert report.winner.test == full["best"]["test_loss"]


def test_the_leaderboard_puts_the_furthest_rung_first_and_ranks_no_failure(full: dict[str, Any]) -> None:
    rows = read_report(full).leaderboard
    assert len(rows) == len(full["trials"])
    ranked = [row for row in rows if row.rank is not None]
    assert [row.rank for row in ranked] == list(range(1, 13))
    assert [row.steps for row in ranked] == sorted((row.steps for row in ranked), reverse=True)
    by_step = [[row.loss for row in ranked if row.steps == step] for step in (360, 120, 40)]
    assert all(losses == sorted(losses) for losses in by_step)
    assert [(row.number, row.state) for row in rows if row.rank is None] == [(4, "oom"), (11, "failed")]
    assert {row.number for row in rows if row.confirmed} == {0, 9}


def test_a_trial_that_failed_after_a_rung_keeps_its_figures_but_no_rank(full: dict[str, Any]) -> None:
    full["trials"][9]["state"], full["trials"][9]["error"] = "failed", "worker died"
    row = next(row for row in read_report(full).leaderboard if row.number == 9)
    assert (row.rank, row.steps, row.error) == (None, 360, "worker died")


def test_methods_are_compared_at_the_rung_that_most_trials_share(full: dict[str, Any]) -> None:
    report = read_report(full)
    assert report.rung == 40
    dora = next(scores for scores in report.methods if scores.method == "dora")
    at_rung = sorted(t["rungs"][0]["validation_loss"] for t in full["trials"] if t["method"] == "dora")
    assert dora.losses == tuple(at_rung)
    assert dora.best == at_rung[0]
    assert report.methods[-1].method == "full"
    assert (report.methods[-1].failed, report.methods[-1].best) == (1, None)


def test_a_diverged_trial_does_not_flatten_the_curves(full: dict[str, Any]) -> None:
    before = read_report(full).curves
    full["trials"][7]["curve"] = [[10, 2.1], [20, 900.0]]
    after = read_report(full).curves
    assert after.high < 3
    assert after.cut >= before.cut
    assert any(loss == 900.0 for curve in after.curves for _, loss in curve.train)


def test_memory_counts_every_configuration_once(full: dict[str, Any]) -> None:
    memory = read_report(full).memory
    assert len(memory.points) == 12 + 2  # the trials that ran, and the two controls
    errors = [abs(point.predicted_bytes / point.measured_bytes - 1) for point in memory.points]
    assert memory.mean_absolute_error == pytest.approx(sum(errors) / len(errors))
    assert memory.kind == "tensor bytes, CPU"


def test_the_ledger_adds_up(full: dict[str, Any]) -> None:
    time = read_report(full).time
    assert sum(entry.seconds for entry in time.entries) == pytest.approx(time.spent_seconds, abs=0.1)
    assert sum(entry.share for entry in time.entries) == pytest.approx(1)


def test_numbers_that_are_not_finite_are_unknown(full: dict[str, Any]) -> None:
    full["trials"][7]["rungs"] = [{"step": 40, "validation_loss": float("nan"), "validation_metric": 0.1}]
    full["budget"]["spent_seconds"] = float("inf")
    report = read_report(full)
    assert next(row for row in report.leaderboard if row.number == 7).rank is None
    assert report.time.spent_seconds is None


def test_a_run_without_a_winner_says_why(begun: dict[str, Any]) -> None:
    assert "still running" in read_report(begun).verdict[0]
    begun["trials"][0] |= {"state": "failed", "error": "no"}
    assert "Every trial failed" in read_report(begun).verdict[0]


def test_a_later_schema_is_refused_with_a_hint(full: dict[str, Any]) -> None:
    full["schema_version"] = 2
    with pytest.raises(InputError, match="schema version 2") as refused:
        read_report(full)
    assert refused.value.hint

"""The facts of what was tried: trade-offs, threads, importances, reasons and the workers' time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.markdown import render_markdown
from autopeft.reporting.parallel import read_parallel
from autopeft.reporting.scale import scale
from autopeft.reporting.trials import losses_at, read_leaderboard

COSTS = st.floats(1e-6, 1e12).map(lambda value: float(f"{value:.6g}"))


def test_no_trial_beats_one_of_the_front_and_each_other_is_beaten(full: dict[str, Any]) -> None:
    tradeoffs = read_report(full).tradeoffs
    assert [tradeoff.name for tradeoff in tradeoffs] == ["Peak memory", "Trainable parameters", "Time to step 40"]
    for tradeoff in tradeoffs:
        for point in tradeoff.points:
            better = [
                other
                for other in tradeoff.points
                if (other.cost <= point.cost and other.loss < point.loss)
                or (other.cost < point.cost and other.loss <= point.loss)
            ]
            assert point.front == (not better), point


def test_tradeoffs_compare_losses_of_one_rung_only(full: dict[str, Any]) -> None:
    at_forty = {t["number"]: r["validation_loss"] for t in full["trials"] for r in t["rungs"] if r["step"] == 40}
    for tradeoff in read_report(full).tradeoffs:
        assert {point.number: point.loss for point in tradeoff.points} == at_forty


def test_a_thread_passes_every_column_and_ends_at_its_loss(full: dict[str, Any]) -> None:
    facts = read_report(full).parallel
    names = [column.name for column in facts.columns]
    assert names[:2] == ["method", "learning_rate"]
    assert names[-2:] == ["trainable", "loss at step 40"]
    losses = losses_at(full, 40)
    for thread in facts.threads:
        assert len(thread.places) == len(facts.columns)
        assert all(0 <= place <= 1 for place in thread.places)
    ends = sorted(facts.threads, key=lambda thread: losses[thread.number])
    assert [thread.places[-1] for thread in ends] == sorted(thread.places[-1] for thread in ends)


def test_a_hyperparameter_that_a_method_lacks_is_not_set(full: dict[str, Any]) -> None:
    facts = read_report(full).parallel
    column = next(place for place, column in enumerate(facts.columns) if column.name == "bottleneck")
    assert facts.columns[column].ticks[0] == (0.0, "not set")
    bottlenecks = {t["number"]: t["hyperparameters"].get("bottleneck") for t in full["trials"]}
    for thread in facts.threads:
        assert (thread.places[column] == 0) == (bottlenecks[thread.number] is None)


def test_two_trials_give_no_parallel_coordinates(full: dict[str, Any]) -> None:
    full["trials"] = full["trials"][:2]
    assert read_parallel(read_leaderboard(full), losses_at(full, 40), 40) is None


def test_reasons_keep_the_recommenders_order_and_the_winner_has_its_own(full: dict[str, Any]) -> None:
    report = read_report(full)
    assert [one.method for one in report.why] == [entry["method"] for entry in full["why"]]
    assert [reason.rule for reason in report.winners_reasons.reasons] == ["P25", "E23"]


def test_importances_are_ordered_and_may_be_absent(full: dict[str, Any]) -> None:
    full["importances"]["shares"] = {"lora.r": 0.2, "method": 0.8, "lora.alpha": None}
    facts = read_report(full).importances
    assert [(entry.name, entry.share) for entry in facts.entries] == [("method", 0.8), ("lora.r", 0.2)]
    full["importances"] = None
    assert read_report(full).importances is None


def test_each_worker_has_a_lane_in_which_nothing_overlaps(full: dict[str, Any]) -> None:
    lanes = read_report(full).timeline
    assert [lane.worker for lane in lanes] == ["worker 0", "worker 1"]
    assert sum(len(lane.pieces) for lane in lanes) == len(full["timeline"])
    for lane in lanes:
        ends = [piece.started_seconds + piece.seconds for piece in lane.pieces]
        starts = [piece.started_seconds for piece in lane.pieces]
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


@given(st.lists(COSTS, min_size=1, max_size=20))
def test_a_scale_holds_every_value_in_order(values: list[float]) -> None:
    ruler = scale(values)
    places = [ruler.fraction(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    assert all(-1e-9 <= ruler.fraction(tick) <= 1 for tick, _ in ruler.ticks)
    assert len({text for _, text in ruler.ticks}) == len(ruler.ticks) >= 1


@pytest.mark.parametrize(
    ("values", "texts"),
    [([1e4, 1e6], ["10000", "100000", "1e+06"]), ([300.0, 400.0], ["300", "325", "350", "375", "400"])],
)
def test_orders_of_magnitude_make_a_scale_logarithmic(values: list[float], texts: list[str]) -> None:
    assert [text for _, text in scale(values).ticks] == texts


def test_a_search_by_several_objectives_shows_its_front(full: dict[str, Any]) -> None:
    assert read_report(full).front is None
    values = [{"loss": 1.42719, "memory": 2**20 * 300, "latency": None}, {"loss": 1.5, "memory": 2**20 * 200}]
    front = [{"trial": number, "values": one} for number, one in zip((9, 0), values, strict=True)]
    full["pareto"] = {"objectives": ["loss", "memory", "latency"], "step": 360, "front": front}
    found = read_report(full).front
    assert found.rows == ((9, ("1.427", "300 MiB", "unknown")), (0, ("1.500", "200 MiB", "unknown")))
    for written in (render_html(read_report(full)), render_markdown(read_report(full), [], "report_files")):
        assert "Best in several objectives" in written


def test_the_workers_time_adds_up(full: dict[str, Any]) -> None:
    time = read_report(full).time
    assert sum(entry.seconds for entry in time.work) == pytest.approx(full["budget"]["worker_seconds"])
    assert sum(entry.share for entry in time.work) == pytest.approx(1)

"""Reads the contenders of the final comparison from the result."""

import math
from dataclasses import replace

from autopeft.reporting import wording
from autopeft.reporting.contenders import Contender, Lead, Metric, SeedScore, gap
from autopeft.reporting.reading import Record, flag, number, pairs, record, records, text, whole


def read_metric(result: Record) -> Metric:
    """The metric, with digits from the spreads and standard errors in the result."""
    found = record(result, "metric")
    confirmed = (*records(result, "confirmed"), record(result, "best"))
    spreads = [number(entry, key) for entry in confirmed for key in ("validation_spread", "test_standard_error")]
    rungs = [rung for trial in records(result, "trials") for rung in records(trial, "rungs")]
    errors = wording.decimals_for(number(rung, "standard_error") for rung in rungs)
    name = text(found, "name") or "score"
    maximize = flag(found, "maximize", name != "loss")
    return Metric(name, maximize, wording.decimals_for(spreads), errors)


def read_contenders(result: Record, metric: Metric) -> tuple[Contender, ...]:
    """Candidates, controls and baselines, each group best first; the winner leads."""
    has_best = bool(record(result, "best"))
    read = [_confirmed(entry, metric, has_best and i == 0) for i, entry in enumerate(_entries(result))]
    read += [_baseline(entry, metric) for entry in records(result, "baselines")]
    ordered = tuple(sorted(read, key=lambda contender: _order(contender, metric)))
    winner = next((contender for contender in ordered if contender.winner), None)
    if winner is None:
        return ordered
    return tuple(_beside(contender, winner, metric) for contender in ordered)


def _beside(contender: Contender, winner: Contender, metric: Metric) -> Contender:
    """With its gap to the winner; a control that is the very trial that won has none."""
    if contender is winner:
        return contender
    if contender.trial is not None and contender.trial == winner.trial:
        return replace(contender, same_as_winner=True)
    return replace(contender, gap=gap(contender, winner, metric))


def _entries(result: Record) -> tuple[Record, ...]:
    """The confirmed, with `best` first: it repeats its entry with more beside it."""
    best, confirmed = record(result, "best"), records(result, "confirmed")
    if not best:
        return confirmed
    own = next((entry for entry in confirmed if _same(entry, best)), {})
    return ({**own, **best}, *(entry for entry in confirmed if entry is not own))


def _same(entry: Record, best: Record) -> bool:
    return all(entry.get(key) == best.get(key) for key in ("role", "trial", "name", "method"))


def _order(contender: Contender, metric: Metric) -> tuple[bool, int, float]:
    kinds = {"candidate": 0, "control": 1, "baseline": 2}
    value = contender.mean if contender.mean is not None else contender.test
    rank = math.inf if value is None else (-value if metric.maximize else value)
    return not contender.winner, kinds.get(contender.kind, 1), rank


def _confirmed(entry: Record, metric: Metric, winner: bool) -> Contender:
    name, title = text(entry, "name"), text(entry, "title") or text(entry, "method")
    kind = text(entry, "role") or "candidate"
    label = (title if kind == "candidate" else name) or name or title or "unnamed"
    other = name if label == title else title
    return Contender(
        kind=kind,
        label=label,
        detail=other if other and other != label else "",
        method=text(entry, "method"),
        trial=whole(entry, "trial"),
        hyperparameters=pairs(entry, "hyperparameters"),
        seeds=tuple(_seed(run, metric) for run in records(entry, "runs")),
        mean=number(entry, "validation_mean"),
        spread=number(entry, "validation_spread"),
        test=_scored(entry, "test", metric),
        test_standard_error=number(entry, "test_standard_error"),
        trainable_parameters=whole(entry, "trainable_parameters"),
        adapter_bytes=whole(entry, "adapter_bytes"),
        predicted_peak_bytes=whole(entry, "predicted_peak_bytes"),
        measured_peak_bytes=whole(entry, "measured_peak_bytes"),
        measured_kind=text(entry, "measured_kind"),
        seconds_per_step=number(entry, "seconds_per_step"),
        row_seconds=number(entry, "evaluation_row_seconds"),
        winner=winner,
        lead=_lead(entry),
    )


def _baseline(entry: Record, metric: Metric) -> Contender:
    return Contender(
        kind="baseline",
        label=text(entry, "name") or "unnamed",
        detail=", ".join(part for part in (_fitted_on(entry), text(entry, "note")) if part),
        mean=_scored(entry, "validation", metric),
        test=_scored(entry, "test", metric),
        test_standard_error=number(entry, "test_standard_error"),
        lead=_lead(entry),
    )


def _lead(entry: Record) -> Lead | None:
    found = record(entry, "winner_lead")
    difference, half_width = number(found, "difference"), number(found, "half_width")
    return None if difference is None or half_width is None else Lead(text(found, "metric"), difference, half_width)


def _fitted_on(entry: Record) -> str:
    rows = number(entry, "train_rows")
    return "" if rows is None else f"{wording.whole(rows)} training rows"


def _seed(run: Record, metric: Metric) -> SeedScore:
    return SeedScore(
        seed=whole(run, "seed"),
        steps=whole(run, "steps"),
        metric=_scored(run, "validation", metric),
        loss=number(run, "validation_loss"),
        train_seconds=number(run, "train_seconds"),
    )


def _scored(entry: Record, split: str, metric: Metric) -> float | None:
    """The metric on a split; where the metric is the loss, the loss is written once only."""
    value = number(entry, f"{split}_metric")
    return number(entry, f"{split}_loss") if value is None and metric.name == "loss" else value

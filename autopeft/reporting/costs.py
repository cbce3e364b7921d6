"""The facts of cost: memory predicted against measured, and where the time went."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from autopeft.reporting.contenders import Contender
from autopeft.reporting.reading import Record, number, pairs, record, records, text, whole
from autopeft.reporting.trials import TrialRow

_LEDGER = {
    "startup": "Start-up: imports and the base model",
    "data": "Reading and tokenising the data",
    "probe": "Timing one step",
    "baselines": "Baselines",
    "search": "Search: the trials",
    "confirm": "Confirming the best over seeds",
    "controls": "Controls over seeds",
    "test": "Test split, once",
    "overhead": "Everything else",
}
_WORK = {
    "continued": "Trials that were confirmed later",
    "paused": "Trials left at a rung",
    "confirm": "Confirming the best over seeds",
    "controls": "Controls over seeds",
    "wasted": "Failed, abandoned or repeated",
    "overhead": "Everything else, waiting included",
}


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """One trained configuration with both figures; `trial` is None for a control."""

    label: str
    title: str
    predicted_bytes: int
    measured_bytes: int
    trial: int | None = None

    @property
    def error(self) -> float:
        """(predicted - measured) / measured."""
        return (self.predicted_bytes - self.measured_bytes) / self.measured_bytes


@dataclass(frozen=True, slots=True)
class MemoryOfMethod:
    """The points of one method: bytes are means over them, `error` is the mean signed relative error."""

    title: str
    count: int
    predicted_bytes: float
    measured_bytes: float
    error: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Predicted against measured peak memory.

    Attributes:
        points: every configuration for which both are known.
        methods: summaries, the greatest absolute error first.
        mean_absolute_error: over the points, relative; None without any.
        kind: what was measured: `tensor bytes, CPU` or `CUDA`; None where it is not said.
    """

    points: tuple[MemoryPoint, ...]
    methods: tuple[MemoryOfMethod, ...]
    mean_absolute_error: float | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class TimeEntry:
    """One line of the ledger; `share` is of the sum of the ledger."""

    name: str
    label: str
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch of work on the run: it may be stopped and resumed."""

    started: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Time:
    """Where the time went.

    Attributes:
        entries: the ledger, in its order; entries of zero seconds are kept.
        budget_seconds: asked for, or None.
        spent_seconds: in all sessions.
        compute_seconds: inside forward, backward, optimizer and evaluation.
        compute_share: of the time after start-up.
        work: the workers' time, by what became of it; sums to the time for which they were held.
        workers: slices that ran at a time.
        tokens: that were trained on.
        money: at the price that was given.
        disk_bytes: of the run directory.
        search: sampler and scheduler.
        confirm_share: part of the budget kept for the confirmation.
        full_steps: of a full-length run.
        rung_steps: at which trials are compared.
        sessions: in order.
    """

    entries: tuple[TimeEntry, ...]
    budget_seconds: float | None
    spent_seconds: float | None
    compute_seconds: float | None
    compute_share: float | None
    work: tuple[TimeEntry, ...]
    workers: int | None
    tokens: float | None
    money: float | None
    disk_bytes: int | None
    search: tuple[str, ...]
    confirm_share: float | None
    full_steps: float | None
    rung_steps: tuple[int, ...]
    sessions: tuple[Session, ...]


def read_memory(leaderboard: tuple[TrialRow, ...], contenders: tuple[Contender, ...]) -> Memory:
    """All configurations with both figures: trials and controls (a confirmed candidate repeats its trial)."""
    found: list[tuple[str, str, int | None, int | None, int | None]] = [
        (f"trial {row.number}", row.title, row.predicted_peak_bytes, row.measured_peak_bytes, row.number)
        for row in leaderboard
    ]
    found += [
        (c.label, c.detail or c.label, c.predicted_peak_bytes, c.measured_peak_bytes, None)
        for c in contenders
        if c.trial is None
    ]
    points = tuple(MemoryPoint(label, title, p, m, trial) for label, title, p, m, trial in found if p and m and m > 0)
    groups = {title: [p for p in points if p.title == title] for title in dict.fromkeys(p.title for p in points)}
    methods = [_of_method(title, group) for title, group in groups.items()]
    return Memory(
        points=points,
        methods=tuple(sorted(methods, key=lambda method: -abs(method.error))),
        mean_absolute_error=fmean(abs(point.error) for point in points) if points else None,
        kind=next((c.measured_kind for c in contenders if c.measured_kind), None),
    )


def read_time(result: Record) -> Time:
    """The ledger and what surrounds it."""
    budget = record(result, "budget")
    steps = budget.get("rung_steps")
    return Time(
        entries=_entries(budget, "ledger", _LEDGER),
        budget_seconds=number(budget, "budget_seconds"),
        spent_seconds=number(budget, "spent_seconds"),
        compute_seconds=number(budget, "compute_seconds"),
        compute_share=number(budget, "compute_share"),
        work=_entries(budget, "work", _WORK),
        workers=whole(budget, "workers"),
        tokens=number(budget, "tokens"),
        money=number(budget, "money"),
        disk_bytes=whole(budget, "disk_bytes"),
        search=tuple(name for key in ("sampler", "scheduler") if (name := text(budget, key))),
        confirm_share=number(budget, "confirm_share"),
        full_steps=number(budget, "full_steps"),
        rung_steps=tuple(step for step in steps if isinstance(step, int)) if isinstance(steps, list | tuple) else (),
        sessions=tuple(
            Session(text(session, "started") or "unknown", number(session, "seconds"))
            for session in records(budget, "sessions")
        ),
    )


def _entries(budget: Record, key: str, labels: Mapping[str, str]) -> tuple[TimeEntry, ...]:
    known = [(name, number(record(budget, key), name)) for name, _ in pairs(budget, key)]
    total = sum(seconds for _, seconds in known if seconds) or 1.0
    return tuple(TimeEntry(n, labels.get(n, n), s, s / total) for n, s in known if s is not None)


def _of_method(title: str, points: list[MemoryPoint]) -> MemoryOfMethod:
    return MemoryOfMethod(
        title=title,
        count=len(points),
        predicted_bytes=fmean(point.predicted_bytes for point in points),
        measured_bytes=fmean(point.measured_bytes for point in points),
        error=fmean(point.error for point in points),
    )

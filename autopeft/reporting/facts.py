"""Everything that a report shows, as plain frozen values: read once, drawn by several renderers."""

from dataclasses import dataclass

from autopeft.errors import InputError
from autopeft.reporting.confirmed import read_contenders, read_metric
from autopeft.reporting.contenders import Contender, Metric
from autopeft.reporting.costs import Memory, Time, read_memory, read_time
from autopeft.reporting.reading import (
    Pairs,
    Record,
    number,
    pairs,
    plain,
    record,
    records,
    text,
    texts,
    whole,
)
from autopeft.reporting.trials import (
    Curves,
    MethodScores,
    TrialRow,
    common_rung,
    read_curves,
    read_leaderboard,
    read_methods,
)

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for; None where it was left open."""

    model: str | None
    model_parameters: int | None
    dataset: str | None
    task: str | None
    methods: tuple[str, ...]
    budget_seconds: float | None
    trials: int | None
    gpu_mem_bytes: int | None
    seed: int | None
    command: str | None


@dataclass(frozen=True, slots=True)
class Data:
    """What it was trained on: `rows` by split, `labels` with training rows, the most frequent first."""

    rows: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    labels: tuple[tuple[str, int], ...]
    max_length: int | None
    truncated_rows: int | None
    batch_size: int | None
    fingerprint: str | None
    notes: tuple[str, ...]

    @property
    def total_rows(self) -> int:
        """Over all splits."""
        return sum(count for _, count in self.rows)

    @property
    def truncated_share(self) -> float | None:
        """Of all rows; None where it is unknown."""
        return None if self.truncated_rows is None or not self.total_rows else self.truncated_rows / self.total_rows


@dataclass(frozen=True, slots=True)
class Adapter:
    """The best adapter on disk: where it lies, how to load it, and how its test figure was measured."""

    path: str | None
    size_bytes: int | None
    seed: int | None
    load: tuple[str, ...]
    evaluation: Pairs


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A method that was not searched, with the reasons."""

    method: str
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All facts of one run.

    Attributes:
        status: running, finished, interrupted or unknown.
        verdict: plain sentences; never empty.
        asked: the request.
        data: what it was trained on.
        metric: what the winner is selected by.
        contenders: candidates, controls and baselines, the winner first.
        adapter: the best one, or None.
        leaderboard: all trials, best first.
        curves: learning curves.
        methods: scores by method at `rung`.
        rung: the step at which most trials were compared.
        memory: predicted against measured.
        time: the ledger.
        left_out: methods that were not searched.
        seeds: name and value.
        environment: name and value.
    """

    status: str
    verdict: tuple[str, ...]
    asked: Asked
    data: Data
    metric: Metric
    contenders: tuple[Contender, ...]
    adapter: Adapter | None
    leaderboard: tuple[TrialRow, ...]
    curves: Curves
    methods: tuple[MethodScores, ...]
    rung: int | None
    memory: Memory
    time: Time
    left_out: tuple[LeftOut, ...]
    seeds: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def winner(self) -> Contender | None:
        """The best adapter's contender, or None."""
        return next((contender for contender in self.contenders if contender.winner), None)

    @property
    def trained(self) -> tuple[Contender, ...]:
        """The contenders that were fine-tuned over seeds: all but the baselines."""
        return tuple(contender for contender in self.contenders if contender.kind != "baseline")

    @property
    def control(self) -> Contender | None:
        """The best control with a known gap to the winner, or None."""
        known = (c for c in self.contenders if c.kind == "control" and c.gap and c.gap.difference is not None)
        return next(known, None)

    @property
    def failed(self) -> tuple[TrialRow, ...]:
        """Trials that ended in an error."""
        return tuple(row for row in self.leaderboard if row.failed)


def read_report(result: Record) -> Report:
    """All facts of a result mapping (docs/result-schema.md), whole or partial.

    Raises:
        InputError: the result was written in a later version of the schema.
    """
    version = result.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise InputError(
            f"result.json has schema version {version!r}, and this autopeft reads version {SCHEMA_VERSION}",
            hint="render the report with the autopeft that wrote the run, or upgrade",
        )
    metric = read_metric(result)
    contenders, leaderboard = read_contenders(result, metric), read_leaderboard(result)
    status = text(result, "status") or "unknown"
    return Report(
        status=status,
        verdict=texts(result, "verdict") or (_no_verdict(status, leaderboard),),
        asked=_asked(record(result, "asked")),
        data=_data(record(result, "data")),
        metric=metric,
        contenders=contenders,
        adapter=_adapter(record(result, "best")),
        leaderboard=leaderboard,
        curves=read_curves(result, leaderboard),
        methods=read_methods(result, leaderboard),
        rung=common_rung(result),
        memory=read_memory(leaderboard, contenders),
        time=read_time(result),
        left_out=tuple(_left_out(entry) for entry in records(result, "excluded")),
        seeds=_listed(pairs(result, "seeds")),
        environment=_listed(pairs(result, "environment")),
    )


def _no_verdict(status: str, leaderboard: tuple[TrialRow, ...]) -> str:
    if leaderboard and all(row.failed for row in leaderboard):
        return "Every trial failed, so there is no adapter; the reasons are below."
    if status == "running":
        return "The search is still running: there is no winner yet, and all figures are provisional."
    return "The search ended before a winner was confirmed; the leaderboard shows how far it came."


def _asked(asked: Record) -> Asked:
    return Asked(
        model=text(asked, "model"),
        model_parameters=whole(asked, "model_parameters"),
        dataset=text(asked, "dataset"),
        task=text(asked, "task"),
        methods=texts(asked, "methods"),
        budget_seconds=number(asked, "budget_seconds"),
        trials=whole(asked, "trials"),
        gpu_mem_bytes=whole(asked, "gpu_mem_bytes"),
        seed=whole(asked, "seed"),
        command=text(asked, "command"),
    )


def _data(data: Record) -> Data:
    columns = [f"{name}: {plain(value)}" for name, value in pairs(data, "columns")]
    return Data(
        rows=_counts(data, "rows"),
        columns=tuple(columns) or texts(data, "columns"),
        labels=tuple(sorted(_counts(data, "labels"), key=lambda label: (-label[1], label[0]))),
        max_length=whole(data, "max_length"),
        truncated_rows=whole(data, "truncated_rows"),
        batch_size=whole(data, "batch_size"),
        fingerprint=text(data, "fingerprint"),
        notes=texts(data, "notes"),
    )


def _counts(parent: Record, key: str) -> tuple[tuple[str, int], ...]:
    counts = [(plain(name), whole(record(parent, key), name)) for name in record(parent, key)]
    return tuple((name, count) for name, count in counts if count is not None)


def _adapter(best: Record) -> Adapter | None:
    if not best:
        return None
    return Adapter(
        path=text(best, "adapter_path"),
        size_bytes=whole(best, "adapter_bytes"),
        seed=whole(best, "seed"),
        load=tuple(line for block in texts(best, "load") for line in block.splitlines() or [""]),
        evaluation=pairs(best, "evaluation"),
    )


def _left_out(entry: Record) -> LeftOut:
    method = text(entry, "method") or "unknown"
    return LeftOut(method, text(entry, "title") or method, texts(entry, "reasons") or ("no reason recorded",))


def _listed(entries: Pairs) -> tuple[tuple[str, str], ...]:
    return tuple((name, _flat(value)) for name, value in entries)


def _flat(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "none"
    return "unknown" if value is None else plain(value)

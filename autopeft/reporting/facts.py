"""Everything that a report shows, as plain frozen values: read once, drawn by several renderers."""

from dataclasses import dataclass

from autopeft.errors import InputError
from autopeft.reporting.confirmed import read_contenders, read_metric
from autopeft.reporting.contenders import Contender, Metric
from autopeft.reporting.costs import Memory, Time, read_memory, read_time
from autopeft.reporting.importance import Importances, read_importances
from autopeft.reporting.objectives import Front, read_front
from autopeft.reporting.parallel import Parallel, read_parallel
from autopeft.reporting.reading import Pairs, Record, pairs, plain, record, records, text, texts, whole
from autopeft.reporting.reasons import MethodReasons, read_reasons
from autopeft.reporting.subject import Asked, Data, read_asked, read_data
from autopeft.reporting.timeline import Lane, read_timeline
from autopeft.reporting.tradeoff import Tradeoff, read_tradeoffs
from autopeft.reporting.trials import (
    Curves,
    MethodScores,
    TrialRow,
    common_rung,
    losses_at,
    read_curves,
    read_leaderboard,
    read_methods,
)

SCHEMA_VERSION = 1


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
        why: the recommender's reasons by method.
        leaderboard: all trials, best first.
        curves: learning curves.
        methods: scores by method at `rung`.
        rung: the step at which most trials were compared.
        parallel: every trial's choices and loss side by side, or None.
        importances: which choice mattered, or None.
        tradeoffs: loss against each kind of cost.
        front: of a search by several objectives, or None.
        memory: predicted against measured.
        time: the ledger.
        timeline: what each worker did when.
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
    why: tuple[MethodReasons, ...]
    leaderboard: tuple[TrialRow, ...]
    curves: Curves
    methods: tuple[MethodScores, ...]
    rung: int | None
    parallel: Parallel | None
    importances: Importances | None
    tradeoffs: tuple[Tradeoff, ...]
    front: Front | None
    memory: Memory
    time: Time
    timeline: tuple[Lane, ...]
    left_out: tuple[LeftOut, ...]
    seeds: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def winner(self) -> Contender | None:
        """The best adapter's contender, or None."""
        return next((contender for contender in self.contenders if contender.winner), None)

    @property
    def winners_reasons(self) -> MethodReasons | None:
        """Why the winner's method was tried, or None."""
        return next((one for one in self.why if self.winner and one.method == self.winner.method), None)

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
    def unbeaten(self) -> Contender | None:
        """The control that is itself the winner, or None."""
        controls = (contender for contender in self.contenders if contender.kind == "control")
        return next((control for control in controls if control.winner or control.same_as_winner), None)

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
    rung, status = common_rung(result), text(result, "status") or "unknown"
    losses = losses_at(result, rung)
    return Report(
        status=status,
        verdict=texts(result, "verdict") or (_no_verdict(status, leaderboard),),
        asked=read_asked(result),
        data=read_data(result),
        metric=metric,
        contenders=contenders,
        adapter=_adapter(record(result, "best")),
        why=read_reasons(result),
        leaderboard=leaderboard,
        curves=read_curves(result, leaderboard),
        methods=read_methods(result, leaderboard),
        rung=rung,
        parallel=read_parallel(leaderboard, losses, rung),
        importances=read_importances(result),
        tradeoffs=read_tradeoffs(result, leaderboard, losses, rung),
        front=read_front(result, metric.loss_decimals),
        memory=read_memory(leaderboard, contenders),
        time=read_time(result),
        timeline=read_timeline(result),
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

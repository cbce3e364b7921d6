"""The confirm stage: the best configurations and the control, trained to full length on several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopeft.domain.trials import Split, TrialRecord, TrialSpec, by_number
from autopeft.domain.units import format_bytes
from autopeft.execution.protocol import Finished
from autopeft.search.context import REPORT_SECONDS, SearchContext
from autopeft.search.costs import makespan_seconds, slice_seconds, tested_seconds
from autopeft.search.disk import has_room
from autopeft.search.dispatch import Job, drive
from autopeft.search.run_directory import TrialFolder, intact, read_json, write_json
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import ranking
from autopeft.training.checkpoint import prune_checkpoints

# Predictions of time are kept this much too long, since machines are shared.
SAFETY = 1.15
TESTED_ENTRIES = 2
_SAVED = "confirm.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A configuration that is trained to full length.

    Attributes:
        name: `trial-0007` or `control-lora`.
        role: candidate or control.
        proposal: method and hyperparameters.
        trial: number of the search trial whose training the first seed continues; None for a control.
    """

    name: str
    role: str
    proposal: Proposal
    trial: int | None

    def folder(self, context: SearchContext, seed: int) -> TrialFolder:
        """Where the run of `seed` lives: the trial's own folder for the seed that the search used."""
        if self.trial is not None and seed == context.plan.seeds[0]:
            return context.run.trial(self.trial)
        return context.run.confirmation(self.name, seed)

    def spec(self, seed: int) -> TrialSpec:
        """The spec of the run of `seed`."""
        number = -1 if self.trial is None else self.trial
        return TrialSpec(number, self.proposal.method, self.proposal.hyperparameters, seed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "role": self.role,
            "method": self.proposal.method,
            "hyperparameters": dict(self.proposal.hyperparameters),
            "trial": self.trial,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Entry":
        """The inverse of `to_dict`."""
        return cls(plain["name"], plain["role"], Proposal(plain["method"], plain["hyperparameters"]), plain["trial"])


def choose_entries(
    context: SearchContext, records: list[TrialRecord], peers: Sequence[TrialRecord] = ()
) -> tuple[Entry, ...]:
    """The top trials and the control; a trial that equals the control stands for both.

    Args:
        context: with the control.
        records: of this run.
        peers: trials of other processes; the state of theirs is not here, so they would be trained anew.
    """
    control = context.control
    here = {record.spec.number for record in records}
    top = [
        Entry(
            f"trial-{record.spec.number:04d}",
            "candidate",
            _proposal(record),
            record.spec.number if record.spec.number in here else None,
        )
        for record in _contenders(context, [*records, *peers])[: context.request.top]
    ]
    if control is None:
        return tuple(top)
    # A trial that gave up its checkpoint cannot be trained further.
    same = [one for one in records if _proposal(one) == control and one.slices and one.state != "stopped"]
    if same:
        # Sharing name and folders, the runs that both need are trained once.
        number = same[0].spec.number
        return (*top, Entry(f"trial-{number:04d}", "control", control, number))
    return (*top, Entry(f"control-{control.method}", "control", control, None))


def _contenders(context: SearchContext, records: list[TrialRecord]) -> list[TrialRecord]:
    """Trials at full length by the task's metric, which decides in the end; then the others as ranked by loss.

    With several objectives, as they are ranked by all of them.
    """
    ranked = [record for record in ranking(records, context.request.objectives) if record.state != "stopped"]
    if len(context.request.objectives) > 1:
        return ranked
    full = [record for record in ranked if record.steps_done == context.plan.full_steps]
    sign = -1 if context.maximize else 1
    by_metric = sorted(full, key=lambda record: sign * (record.slices[-1].validation_metric or 0.0))
    return by_metric + [record for record in ranked if record.steps_done != context.plan.full_steps]


def _proposal(record: TrialRecord) -> Proposal:
    return Proposal(record.spec.method, dict(record.spec.hyperparameters))


def saved_entries(context: SearchContext) -> tuple[Entry, ...] | None:
    """The entries of an earlier session that had begun to confirm, or None."""
    path = context.run.path / _SAVED
    if not path.exists():
        return None
    with intact(path):
        return tuple(map(Entry.from_dict, read_json(path)["entries"]))


def confirm_stage(context: SearchContext, records: list[TrialRecord], entries: tuple[Entry, ...]) -> None:
    """Train every entry on every seed as far as time allows; one seed for all, then the next.

    Time that is left after the plan's seeds goes into further ones, as long as one fits for all entries.

    Raises:
        RunError: the disk is full, or the workers cannot run.
    """
    seeds = confirmed_seeds(context)
    _save(context, entries, seeds)
    chosen = {entry.trial for entry in entries}
    for record in records:
        if record.spec.number not in chosen:  # nobody will train it further, and confirming needs the room
            prune_checkpoints(context.run.trial(record.spec.number).checkpoint, None)
    while True:
        stage = _Confirm(context, records, entries, seeds)
        drive(context, stage.choose, stage.done)
        if not _time_for_another_seed(context, records, entries, seeds[-1]):
            return
        seeds = (*seeds, seeds[-1] + 1)
        _save(context, entries, seeds)


def confirmed_seeds(context: SearchContext) -> tuple[int, ...]:
    """The seeds of the plan, and those beyond it that there was time for."""
    path = context.run.path / _SAVED
    if not path.exists():
        return context.plan.seeds
    with intact(path):
        return (*context.plan.seeds, *map(int, read_json(path).get("further_seeds", ())))


def _save(context: SearchContext, entries: tuple[Entry, ...], seeds: tuple[int, ...]) -> None:
    further = seeds[len(context.plan.seeds) :]
    saved = {"entries": [entry.to_dict() for entry in entries], "further_seeds": list(further)}
    write_json(context.run.path / _SAVED, saved)


def _time_for_another_seed(
    context: SearchContext, records: list[TrialRecord], entries: tuple[Entry, ...], last: int
) -> bool:
    """Whether every entry can be trained on one seed more; only ever where a budget of time is all that counts."""
    request, plan = context.request, context.plan
    if not request.only_time_counts or context.stop.requested:
        return False
    trained = {entry.name: entry for entry in entries}.values()
    if any(not _is_full(context, entry, last) for entry in trained):  # it fails, or time was short before
        return False
    rows = context.validation_rows
    costs = [slice_seconds(entry.proposal.method, 0, plan.full_steps, rows, records, plan) for entry in trained]
    needed = makespan_seconds(costs, request.slots) * SAFETY + finish_seconds(context, records)
    return needed <= context.remaining_seconds


def _is_full(context: SearchContext, entry: Entry, seed: int) -> bool:
    folder = entry.folder(context, seed)
    return (folder.path / "spec.json").exists() and folder.record().steps_done == context.plan.full_steps


class _Confirm:
    """The runs of the stage, in order; each goes on from rung to rung until it is done or time is short."""

    def __init__(
        self, context: SearchContext, records: list[TrialRecord], entries: tuple[Entry, ...], seeds: tuple[int, ...]
    ) -> None:
        self._context = context
        self._records = records
        self._waiting = [(entry, seed) for seed in seeds for entry in entries]
        self._running: dict[Path, tuple[Entry, TrialRecord]] = {}

    def choose(self) -> Job | None:
        """The next slice of the first run that has time left."""
        while self._waiting:
            entry, seed = self._waiting.pop(0)
            folder = entry.folder(self._context, seed)
            if folder.path in self._running:  # its other role is being trained
                continue
            job = self._job(entry, folder, self._record(entry, folder, seed))
            if job is not None:
                return job
        return None

    def done(self, job: Job, finished: Finished) -> None:
        """Go on with the run, before any other is begun."""
        entry, record = self._running.pop(job.folder.path)
        if finished.result is not None and finished.result.error is None:
            if record.steps_done < self._context.plan.full_steps:
                self._waiting.insert(0, (entry, record.spec.seed))
        elif finished.result is None:
            self._short_of_time(entry, record.spec.seed)

    def _record(self, entry: Entry, folder: TrialFolder, seed: int) -> TrialRecord:
        if not (folder.path / "spec.json").exists():
            spec = replace(entry.spec(seed), split=_split(self._context, self._records, entry))
            folder.create(spec, entry.role)
        return folder.record()

    def _job(self, entry: Entry, folder: TrialFolder, record: TrialRecord) -> Job | None:
        """The run's next slice; None when it has ended or there is no time for it."""
        context, plan = self._context, self._context.plan
        if record.steps_done >= plan.full_steps or record.state in ("failed", "oom"):
            return None
        to_step = next(step for step in plan.rung_steps if step > record.steps_done)
        rows = context.validation_rows
        method = entry.proposal.method
        cost = slice_seconds(method, record.steps_done, plan.full_steps, rows, self._records, plan)
        reserve = finish_seconds(context, self._records)
        if cost > context.remaining_seconds - reserve:
            self._short_of_time(entry, record.spec.seed)
            return None
        if not has_room(context):
            limit = format_bytes(context.request.disk_bytes or 0)
            context.observer.note(f"no room within --max-disk {limit} to train {entry.name} on seed {record.spec.seed}")
            return None
        activity = f"{entry.name} seed {record.spec.seed} to step {to_step}"
        # By place: several seeds of one configuration train side by side under one number.
        busy = range(-len(self._running) - 1, 0)
        context.show("confirm", activity, 0, self._records, busy=busy, next_rung=to_step)
        self._running[folder.path] = (entry, record)
        return Job(record, folder, to_step, "confirm" if entry.role == "candidate" else "controls", reserve)

    def _short_of_time(self, entry: Entry, seed: int) -> None:
        if not self._context.stop.requested:
            self._context.observer.note(f"no time left to train {entry.name} to full length on seed {seed}")


def _split(context: SearchContext, records: list[TrialRecord], entry: Entry) -> Split:
    """As the trial ended up being run; a control that was none is run as it is predicted to fit."""
    if entry.trial is not None:
        return replace(by_number(records, entry.trial).spec.split, lowered=False)
    return context.split(entry.proposal) or Split()


def finish_seconds(context: SearchContext, records: Sequence[TrialRecord] = ()) -> float:
    """What the test split, the adapter and the report will take."""
    if context.request.wall_seconds is None:
        return 0.0
    test = tested_seconds(context.test_rows, context.plan, records) * TESTED_ENTRIES
    return test * SAFETY + REPORT_SECONDS


def confirm_seconds(context: SearchContext, records: list[TrialRecord]) -> float:
    """What the confirm stage and everything after it would take, were it to start now."""
    if context.request.wall_seconds is None:
        return 0.0
    full, rows = context.plan.full_steps, context.validation_rows
    runs = _missing_runs(context, records)
    costs = [slice_seconds(method, done, full, rows, records, context.plan) for method, done in runs]
    return makespan_seconds(costs, context.request.slots) * SAFETY + finish_seconds(context, records)


def confirm_steps(context: SearchContext, records: list[TrialRecord]) -> int:
    """Optimizer steps that the confirm stage would take, were it to start now."""
    return sum(context.plan.full_steps - done for _, done in _missing_runs(context, records))


def _missing_runs(context: SearchContext, records: list[TrialRecord]) -> list[tuple[str, int]]:
    """(method, steps done) of the full-length runs that there are to be; trials still to come have no method."""
    # By name: a control that equals a top trial shares its runs, which are trained once.
    entries = {entry.name: entry for entry in choose_entries(context, records)}.values()
    runs = [
        (entry.proposal.method, _done(records, entry) if seed == context.plan.seeds[0] else 0)
        for entry in entries
        for seed in context.plan.seeds
    ]
    missing = max(0, context.request.top - len(ranking(records))) * len(context.plan.seeds)
    return [run for run in runs if run[1] < context.plan.full_steps] + [("", 0)] * missing


def _done(records: list[TrialRecord], entry: Entry) -> int:
    return 0 if entry.trial is None else by_number(records, entry.trial).steps_done

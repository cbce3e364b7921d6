"""The confirm stage: the best configurations and the control, trained to full length on several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopeft.domain.trials import Split, TrialRecord, TrialSpec
from autopeft.search.context import REPORT_SECONDS, SearchContext
from autopeft.search.costs import FLOAT32_FACTOR, evaluation_seconds, slice_seconds
from autopeft.search.keep import keep_slice
from autopeft.search.run_directory import TrialFolder, read_json, write_json
from autopeft.search.sampler import Proposal
from autopeft.search.scheduler import ranking
from autopeft.training.slice import SliceAbandoned

# Predictions of time are kept this much too long, since machines are shared.
SAFETY = 1.15
TESTED_ENTRIES = 2


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


def choose_entries(context: SearchContext, records: list[TrialRecord]) -> tuple[Entry, ...]:
    """The top trials and the control; a trial that equals the control stands for both."""
    control = context.control
    top = [
        Entry(f"trial-{record.spec.number:04d}", "candidate", _proposal(record), record.spec.number)
        for record in _contenders(context, records)[: context.request.top]
    ]
    if control is None:
        return tuple(top)
    same = [record for record in records if _proposal(record) == control and record.slices]
    if same:
        # Sharing name and folders, the runs that both need are trained once.
        number = same[0].spec.number
        return (*top, Entry(f"trial-{number:04d}", "control", control, number))
    return (*top, Entry(f"control-{control.method}", "control", control, None))


def _contenders(context: SearchContext, records: list[TrialRecord]) -> list[TrialRecord]:
    """Trials at full length by the task's metric, which decides in the end; then the others as ranked by loss."""
    ranked = ranking(records)
    full = [record for record in ranked if record.steps_done == context.plan.full_steps]
    sign = -1 if context.maximize else 1
    by_metric = sorted(full, key=lambda record: sign * (record.slices[-1].validation_metric or 0.0))
    return by_metric + [record for record in ranked if record not in full]


def _proposal(record: TrialRecord) -> Proposal:
    return Proposal(record.spec.method, dict(record.spec.hyperparameters))


def saved_entries(context: SearchContext) -> tuple[Entry, ...] | None:
    """The entries of an earlier session that had begun to confirm, or None."""
    path = context.run.path / "confirm.json"
    return tuple(map(Entry.from_dict, read_json(path)["entries"])) if path.exists() else None


def confirm_stage(context: SearchContext, records: list[TrialRecord], entries: tuple[Entry, ...]) -> None:
    """Train every entry on every seed as far as time allows; one seed for all, then the next."""
    write_json(context.run.path / "confirm.json", {"entries": [entry.to_dict() for entry in entries]})
    for seed in context.plan.seeds:
        for entry in entries:
            if not _confirm(context, records, entry, seed):
                context.observer.note(f"no time left to train {entry.name} to full length on seed {seed}")
            if context.stop.requested:
                return


def _confirm(context: SearchContext, records: list[TrialRecord], entry: Entry, seed: int) -> bool:
    """Train one run to full length in slices; False when time or the trial failed it."""
    folder = entry.folder(context, seed)
    if not (folder.path / "spec.json").exists():
        folder.create(replace(entry.spec(seed), split=_split(context, records, entry)), entry.role)
    record = folder.record()
    while record.steps_done < context.plan.full_steps and record.state not in ("failed", "oom"):
        to_step = next(step for step in context.plan.rung_steps if step > record.steps_done)
        rows = context.validation_rows
        cost = slice_seconds(
            entry.proposal.method, record.steps_done, context.plan.full_steps, rows, records, context.plan
        )
        if cost > context.remaining_seconds - finish_seconds(context, records) or context.stop.requested:
            return False
        if not _slice(context, records, entry, folder, record, to_step):
            return False
    return record.steps_done == context.plan.full_steps


def _split(context: SearchContext, records: list[TrialRecord], entry: Entry) -> Split:
    """As the trial ended up being run; a control that was none is run as it is predicted to fit."""
    if entry.trial is not None:
        return replace(records[entry.trial].spec.split, lowered=False)
    return context.split(entry.proposal) or Split()


def _slice(
    context: SearchContext,
    records: list[TrialRecord],
    entry: Entry,
    folder: TrialFolder,
    record: TrialRecord,
    to_step: int,
) -> bool:
    category = "confirm" if entry.role == "candidate" else "controls"
    context.show("confirm", f"{entry.name} seed {record.spec.seed} to step {to_step}", 0, records)
    with context.ledger.spend(category):
        try:
            result = context.executor.run_slice(
                record.spec,
                folder.path,
                from_step=record.steps_done,
                to_step=to_step,
                should_stop=lambda: context.remaining_seconds < finish_seconds(context, records),
            )
        except SliceAbandoned:
            return False
        keep_slice(folder, record, result)
    context.ledger.book(category, 0.0, compute_seconds=result.train_seconds + result.evaluation_seconds)
    return result.error is None


def finish_seconds(context: SearchContext, records: Sequence[TrialRecord] = ()) -> float:
    """What the test split, the adapter and the report will take."""
    if context.request.budget_seconds is None:
        return 0.0
    test = evaluation_seconds(context.test_rows, context.plan, records) * FLOAT32_FACTOR * TESTED_ENTRIES
    return test * SAFETY + REPORT_SECONDS


def confirm_seconds(context: SearchContext, records: list[TrialRecord]) -> float:
    """What the confirm stage and everything after it would take, were it to start now."""
    if context.request.budget_seconds is None:
        return 0.0
    # By name: a control that equals a top trial shares its runs, which are trained once.
    entries = {entry.name: entry for entry in choose_entries(context, records)}.values()
    runs = [
        (entry.proposal.method, _done(records, entry) if seed == context.plan.seeds[0] else 0)
        for entry in entries
        for seed in context.plan.seeds
    ]
    full, rows = context.plan.full_steps, context.validation_rows
    missing = max(0, context.request.top - len(ranking(records))) * len(context.plan.seeds)
    costs = [slice_seconds(m, done, full, rows, records, context.plan) for m, done in runs if done < full]
    costs += [slice_seconds("", 0, full, rows, records, context.plan)] * missing
    return sum(costs) * SAFETY + finish_seconds(context, records)


def _done(records: list[TrialRecord], entry: Entry) -> int:
    return 0 if entry.trial is None else records[entry.trial].steps_done

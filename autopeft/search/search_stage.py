"""The search stage: ask the scheduler, run the slice, keep the result; until nothing is left or affordable."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from autopeft.domain.trials import Split, TrialRecord, TrialSpec, by_number
from autopeft.domain.units import format_bytes
from autopeft.errors import RunError
from autopeft.execution.protocol import Finished
from autopeft.search.confirm_stage import confirm_seconds, confirm_steps
from autopeft.search.context import SearchContext
from autopeft.search.costs import slice_seconds, step_seconds
from autopeft.search.disk import make_room
from autopeft.search.dispatch import Job, drive
from autopeft.search.history import remembered_proposal, start_place
from autopeft.search.sampler import Proposal, Sampling, propose
from autopeft.search.scheduler import Advance, Start, View, ranking
from autopeft.search.schedulers import SCHEDULERS
from autopeft.search.standing import best_in_words
from autopeft.search.storage import Study

# A method whose first so many trials all failed is not proposed again.
FAILURES_UNTIL_DROPPED = 2
# When so many trials have failed and none has finished a rung, the rest would too.
FAILURES_UNTIL_HOPELESS = 5
PROPOSAL_ATTEMPTS = 20


def search_stage(context: SearchContext) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """Run the stage from wherever the run directory stands; gives all trials, and those of other processes.

    Raises:
        RunError: every trial failed, the disk is full, or the workers cannot run.
    """
    records = [folder.record() for folder in context.run.trials()]
    with closing(context.study()) as study:
        study.started(records)
        search = _Search(context, records, study)
        drive(context, search.choose, search.done)
        if not context.stop.requested:
            study.finished(records)
            _refuse_failure(context, records)
        return records, study.peers()


def mirror(context: SearchContext, records: list[TrialRecord]) -> None:
    """See that the run's own study has every trial, closed: it may have been damaged since the stage ended.

    Raises:
        RunError: the disk is full or not writable.
    """
    with closing(context.study()) as study:
        study.started(records)
        study.finished(records)


class _Search:
    """What to run next, and what is known so far."""

    def __init__(self, context: SearchContext, records: list[TrialRecord], study: Study) -> None:
        self._context = context
        self._records = records
        self._study = study
        self._peers: list[TrialRecord] = []
        # Steps that are under way, by trial.
        self._busy: dict[int, int] = {}
        # Of other processes, gone by now, that are not predicted to fit here.
        self._unfit: set[int] = set()
        self._ended = False

    def choose(self) -> Job | None:
        """The next slice; None while there is nothing to do, and for good once it could not be afforded."""
        if self._ended or hopeless(self._records):
            return None
        context = self._context
        decision = SCHEDULERS[context.request.scheduler](self._view())
        if decision is None:
            return None
        reserve = confirm_seconds(context, self._records)
        abandoned = self._abandoned(decision)
        if abandoned is not None:
            decision = Advance(abandoned.spec.number, _first_step(abandoned, decision.to_step))
        if not (self._affordable(decision, reserve) and self._has_room(decision)):
            self._ended = True
            return None
        if abandoned is not None and not self._take_over(abandoned):
            return self.choose()
        record = self._start() if isinstance(decision, Start) else by_number(self._records, decision.number)
        if record is None:
            self._ended = True
            return None
        self._show(record, decision.to_step)
        self._busy[record.spec.number] = decision.to_step - record.steps_done
        # Until one trial has something to confirm, none is abandoned.
        reserve = reserve if ranking(self._records) else 0.0
        return Job(record, context.run.trial(record.spec.number), decision.to_step, "search", reserve)

    def done(self, job: Job, finished: Finished) -> None:
        """Say what went wrong; an abandoned slice means that time has run out."""
        spec, result = job.record.spec, finished.result
        self._busy.pop(spec.number, None)
        if result is None:
            self._ended = True
            return
        if spec != finished.task.spec:
            rows = spec.split.micro_batch_size(self._context.plan.batch_size)
            self._context.observer.note(f"trial {spec.number} ran out of memory: from here on {rows} rows at a time")
        if result.error:
            self._context.observer.note(f"trial {spec.number} ({spec.method}) {result.failure}: {result.error}")
        self._study.advanced(job.record)

    def _view(self) -> View:
        context, plan = self._context, self._context.plan
        number = self._study.next_number(self._records, context.request.trials)
        self._peers = self._study.peers()

        view = View(
            trials=[*self._records, *self._peers],
            rungs=plan.rung_steps,
            next_number=number,
            busy=frozenset(self._busy.keys() | self._out_of_reach()),
            objectives=context.request.objectives,
            seed=context.request.seed,
        )
        cost = _step_cost(context, self._records)
        return view if cost is None else replace(view, cost=lambda method, steps: steps * cost(method))

    def _out_of_reach(self) -> set[int]:
        """Peers that cannot be trained here: their process is at it, or they do not fit this machine."""
        return {peer.spec.number for peer in self._peers} - self._study.abandoned() | self._unfit

    def _abandoned(self, decision: Advance | Start) -> TrialRecord | None:
        """The trial that is to be trained further, where it is of a process that is gone."""
        peers = (peer for peer in self._peers if isinstance(decision, Advance) and peer.spec.number == decision.number)
        return next(peers, None)

    def _take_over(self, peer: TrialRecord) -> bool:
        """Make it a trial of this run, to be trained from its start; False where it cannot be had."""
        context, spec = self._context, peer.spec
        split = context.split(Proposal(spec.method, spec.hyperparameters))
        if split is None:
            self._unfit.add(spec.number)
            return False
        if not self._study.take_over(spec.number):
            return False
        spec = replace(spec, split=split)
        context.run.trial(spec.number).create(spec, "taken over")
        self._records.append(TrialRecord(spec))
        self._study.started(self._records)
        self._context.observer.note(f"trial {spec.number} ({spec.method}) is taken over from a search that is gone")
        return True

    def _affordable(self, decision: Advance | Start, reserve_seconds: float) -> bool:
        """Whether the slice leaves the confirm stage its time and tokens; the first trial always starts."""
        if not self._records:
            return True
        context, plan, records = self._context, self._context.plan, self._records
        if isinstance(decision, Start):
            method, done = self._next_method(), 0
        else:
            abandoned = self._abandoned(decision)
            trial = abandoned or by_number(records, decision.number)
            method, done = trial.spec.method, 0 if abandoned else trial.steps_done
        rows = context.validation_rows if decision.to_step == plan.full_steps else plan.rung_rows
        if (
            slice_seconds(method, done, decision.to_step, rows, records, plan)
            > context.remaining_seconds - reserve_seconds
        ):
            return False
        begun = sum(record.steps_done for record in records) + sum(self._busy.values())
        steps = begun + decision.to_step - done + confirm_steps(context, records)
        return context.request.tokens is None or steps * plan.step_tokens <= context.request.tokens

    def _has_room(self, decision: Advance | Start) -> bool:
        needed = {decision.number} if isinstance(decision, Advance) else set()
        if make_room(self._context, self._records, frozenset(self._busy.keys() | needed)):
            return True
        limit = format_bytes(self._context.request.disk_bytes or 0)
        self._context.observer.note(f"no room for another checkpoint within --max-disk {limit}: the search ends here")
        return False

    def _next_method(self) -> str:
        if len(self._records) < len(self._context.starts):
            return self._context.starts[len(self._records)].method
        return self._records[-1].spec.method

    def _start(self) -> TrialRecord | None:
        """Write the next trial's spec; None when no configuration fits, or other processes have begun the last."""
        context = self._context
        number = self._study.allocate(self._records, context.request.trials)
        found = None if number is None else self._proposal(number)
        if number is None or found is None:
            return None
        proposal, origin = found
        split = context.split(proposal) or Split()
        spec = TrialSpec(number, proposal.method, proposal.hyperparameters, context.plan.seeds[0], split)
        context.run.trial(number).create(spec, origin)
        record = TrialRecord(spec)
        self._records.append(record)
        self._study.started(self._records)
        return record

    def _proposal(self, number: int) -> tuple[Proposal, str] | None:
        """The configuration of a new trial, and where it comes from."""
        known, history = [*self._records, *self._peers], self._context.history
        remembered = remembered_proposal(history, ranking(known), number, seed=self._context.request.seed)
        if remembered is not None and self._context.split(remembered) is not None:
            return remembered, "history"
        place = start_place(number, len(history))
        if place is not None and place < len(self._context.starts):
            return self._context.starts[place], "start"
        found = _feasible_proposal(self._context, known, number)
        if found is None:
            self._context.observer.note("no further configuration is predicted to fit: the search ends here")
            return None
        return found, "sampler"

    def _show(self, record: TrialRecord, to_step: int) -> None:
        context, spec = self._context, record.spec
        done = sum(len(one.slices) for one in self._records)
        activity = f"trial {spec.number}: {spec.method} to step {to_step}"
        busy = {*self._busy, spec.number}
        best = _best(context, self._records)
        context.show("search", activity, done, self._records, best, busy=busy, next_rung=to_step)


def _first_step(peer: TrialRecord, otherwise: int) -> int:
    """Where a trial's first slice ends: as before, so that it passes the same rungs with the same losses."""
    return peer.slices[0].to_step if peer.slices else otherwise


def _feasible_proposal(context: SearchContext, records: list[TrialRecord], first: int) -> Proposal | None:
    methods = [context.methods[name] for name in context.searched]
    dropped = dropped_methods(records)
    if len(dropped) == len(methods):
        return None
    sampling = Sampling(context.request.sampler, context.request.objectives, context.request.seed)
    cost = _step_cost(context, records)
    sampling = sampling if cost is None else replace(sampling, cost=cost)
    for attempt in range(PROPOSAL_ATTEMPTS):
        number = first + attempt * 1_000_000
        # QMC's next point is the same however often it is asked for, and GP's nearly.
        name = "random" if attempt and sampling.name in ("qmc", "gp") else sampling.name
        proposal = propose(records, methods, number=number, sampling=replace(sampling, name=name), excluded=dropped)
        if context.split(proposal) is not None:
            return proposal
    return None


def _step_cost(context: SearchContext, records: Sequence[TrialRecord]) -> Callable[[str], float] | None:
    """Seconds of a method's step, as measured. Without a budget of time, nothing that a clock measured decides."""
    if context.request.wall_seconds is None:
        return None
    return lambda method: step_seconds(method, records, context.plan)


def dropped_methods(records: list[TrialRecord]) -> list[str]:
    """Methods that failed at least twice and never finished a rung."""
    failures: dict[str, int] = {}
    for record in records:
        failures[record.spec.method] = failures.get(record.spec.method, 0) + (record.state in ("failed", "oom"))
    succeeded = {record.spec.method for record in records if record.slices}
    return sorted(m for m, count in failures.items() if count >= FAILURES_UNTIL_DROPPED and m not in succeeded)


def hopeless(records: list[TrialRecord]) -> bool:
    """Whether so many trials failed, and all of them, that the search need not go on."""
    failed = sum(record.state in ("failed", "oom") for record in records)
    return failed >= FAILURES_UNTIL_HOPELESS and not ranking(records)


def _best(context: SearchContext, records: list[TrialRecord]) -> str:
    ranked = ranking(records, context.request.objectives)
    if not ranked:
        return ""
    return best_in_words(ranked[0], context.metric)


def _refuse_failure(context: SearchContext, records: list[TrialRecord]) -> None:
    """See that there is something to go on with.

    Raises:
        RunError: every trial failed.
    """
    if not records or ranking(records):
        return
    if not any(record.state in ("failed", "oom") for record in records):
        raise RunError(
            "the budget ran out before a trial had finished its first slice",
            hint=f"`autopeft resume {context.run.path}` with more time: --budget",
        )
    errors = [piece.error for folder in context.run.trials() for piece in folder.slices() if piece.error]
    first = errors[0] if errors else "unknown"
    raise RunError(
        f"each of the {len(records)} trials so far failed; the first: {first}",
        hint=f"see {context.run.path}/trials/*/error.txt",
    )

"""Keeps every worker busy: what a stage chooses is submitted, what ends is kept and told to the stage."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autopeft.domain.callbacks import SliceEnded
from autopeft.domain.trials import SliceResult, TrialRecord
from autopeft.execution.protocol import Finished, SliceTask
from autopeft.search.context import SearchContext
from autopeft.search.keep import keep_slice
from autopeft.search.lost_state import train_again
from autopeft.search.run_directory import TrialFolder
from autopeft.search.timeline import TIMELINE, Timeline

# A difference this small between a slice's own time and the executor's is its message on the way, no repetition.
REPEATED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """A slice of a stage.

    Attributes:
        record: of the trial; what is kept is added to it.
        folder: of the trial.
        to_step: optimizer steps done in all when the slice ends.
        category: of the ledger.
        reserve_seconds: with less than this left, the slice is abandoned; 0 runs until the budget's end.
    """

    record: TrialRecord
    folder: TrialFolder
    to_step: int
    category: str
    reserve_seconds: float


def drive(context: SearchContext, choose: Callable[[], Job | None], done: Callable[[Job, Finished], None]) -> None:
    """Run what `choose` gives until it gives nothing and all has ended.

    Args:
        context: with the executor and the ledger.
        choose: the next slice, or None for nothing now; asked again after every slice that ends. Not asked any more
            once a stop was requested.
        done: is told of every slice that ended, after it was kept.

    Raises:
        RunError: the disk is full, or the workers cannot run.
    """
    running: dict[Path, Job] = {}
    timeline = Timeline(context.run.path / TIMELINE)
    while True:
        while len(running) < context.executor.slots and not context.stop.requested:
            job = choose()
            if job is None:
                break
            context.executor.submit(_task(context, job))
            running[job.folder.path] = job
            timeline.begin(job.folder.path, context.ledger.spent_seconds)
        if not running:
            return
        categories = sorted(job.category for job in running.values())
        with context.ledger.spend_together(categories):
            finished = context.executor.wait(
                lambda task: context.remaining_seconds < running[task.folder].reserve_seconds
            )
            if finished.lost is not None and not context.stop.requested:
                train_again(context, finished)
                continue
            job = running.pop(finished.task.folder)
            if finished.result is not None:
                keep_slice(job.folder, job.record, finished.result)
                context.callbacks.slice_ended(_told(context, job, finished.task, finished.result))
        timeline.end(
            job.folder.path,
            context.ledger.spent_seconds,
            stage=job.category,
            spec=finished.task.spec,
            to_step=finished.task.to_step,
        )
        _book(context, job, finished)
        context.ledger.save()
        done(job, finished)


def _task(context: SearchContext, job: Job) -> SliceTask:
    record, limit = job.record, context.request.trial_seconds
    if limit is not None:
        limit = max(0.0, limit - sum(piece.wall_seconds for piece in record.slices))
    return SliceTask(record.spec, job.folder.path, record.steps_done, job.to_step, limit)


def _told(context: SearchContext, job: Job, task: SliceTask, result: SliceResult) -> SliceEnded:
    folder = job.folder.path
    return SliceEnded(folder.relative_to(context.run.path).as_posix(), job.category, task.spec, result, folder)


def _book(context: SearchContext, job: Job, finished: Finished) -> None:
    """What was kept counts as its stage's; what failed, was abandoned or had to be repeated is lost."""
    result = finished.result
    if result is None or result.error is not None:
        context.ledger.work("wasted", finished.wall_seconds)
        return
    context.ledger.work(
        job.category, result.wall_seconds, compute_seconds=result.train_seconds + result.evaluation_seconds
    )
    lost = finished.wall_seconds - result.wall_seconds
    context.ledger.work("wasted" if lost > REPEATED_SECONDS else job.category, max(0.0, lost))

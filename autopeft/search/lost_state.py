"""What is done when a trial's checkpoint cannot be read: the trial is trained again, to the same numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from autopeft.domain.trials import TrialRecord
from autopeft.errors import DamagedStateError, RunError
from autopeft.execution.protocol import Finished, SliceTask
from autopeft.search.context import SearchContext
from autopeft.search.run_directory import TrialFolder

_T = TypeVar("_T")


def train_again(context: SearchContext, finished: Finished) -> None:
    """Submit a slice whose checkpoint was lost once more, from the trial's first step."""
    context.observer.note(f"{finished.lost}: the trial is trained again from its first step")
    context.ledger.work("wasted", finished.wall_seconds)
    # The limit of the whole trial: what is made up for has been counted once.
    context.executor.submit(replace(finished.task, restart=True, limit_seconds=context.request.trial_seconds))


def with_state(context: SearchContext, record: TrialRecord, folder: TrialFolder, work: Callable[[], _T]) -> _T:
    """Do what needs the last checkpoint of a finished trial; where that is lost, it is made again before.

    Raises:
        RunError: it cannot be made again, or the disk is full.
    """
    try:
        return work()
    except DamagedStateError as error:
        context.observer.note(f"{error.message}: the trial is trained again from its first step")
    from_step = record.slices[-2].to_step if len(record.slices) > 1 else 0
    context.executor.submit(SliceTask(record.spec, folder.path, from_step, record.steps_done, restart=True))
    result = context.executor.wait(lambda task: False).result
    if result is None or result.error is not None:
        reason = result.error if result else "it was given up"
        raise RunError(f"trial {record.spec.number} cannot be trained again: {reason}", hint="`autopeft resume`")
    return work()

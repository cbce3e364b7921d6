"""The run's own Optuna study on disk: every trial once, readable by Optuna's own tools and dashboard.

The run directory decides; this follows it, and catches up after a stop.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialRecord
from autopeft.errors import RunError
from autopeft.search.sampler import Proposal, distributions_of
from autopeft.search.storage_address import sqlite_address

STUDY_NAME = "autopeft"


class Study(Protocol):
    """Where trials get their numbers, and what is known of those of other processes."""

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """What the next trial would be called; None where `limit` trials have been begun."""
        ...

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """The number of a trial that begins now; None where another process was faster to the last one."""
        ...

    def abandoned(self) -> frozenset[int]:
        """Numbers of the peers whose process is gone: they may be taken over."""
        ...

    def take_over(self, number: int) -> bool:
        """Make an abandoned trial this process's own, to be trained from its start; False where it is not to be had."""
        ...

    def started(self, records: Sequence[TrialRecord]) -> None:
        """Add what the study does not have yet."""
        ...

    def advanced(self, record: TrialRecord) -> None:
        """Tell of a slice that was kept."""
        ...

    def peers(self) -> list[TrialRecord]:
        """The trials of other processes."""
        ...

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """Close every trial of this run: its validation loss at the last rung, or FAIL."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class StudyMirror:
    """The SQLite study of a run that works alone.

    Args:
        path: the database file.
        methods: by id; they give the distributions.
        note: is told when a damaged file was set aside.
    """

    def __init__(
        self, path: Path, methods: Mapping[str, MethodSpec], note: Callable[[str], None] = lambda text: None
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._path = path
        self._methods = methods
        self._note = note
        if _is_damaged(path):
            self._set_aside()
        self._open()

    def _open(self) -> None:
        with _usable(self._path):
            self._database = optuna.storages.RDBStorage(sqlite_address(self._path))
            study = optuna.create_study(
                storage=self._database, study_name=STUDY_NAME, load_if_exists=True, direction="minimize"
            )
            self._known = len(study.get_trials(deepcopy=False))

    def _study(self) -> optuna.Study:
        """As it is on disk: a study that is kept open keeps every trial of a long search in memory."""
        return optuna.load_study(study_name=STUDY_NAME, storage=self._database)

    def _set_aside(self) -> None:
        """Make room for a new file: the run directory has all that is in it."""
        self._note(f"{self._path} is damaged: it is set aside, and written again from the run")
        try:
            os.replace(self._path, self._path.with_name(f"{self._path.name}.damaged"))
            self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot write {self._path}: {error.strerror}", hint="is it yours to write?") from error

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.next_number`."""
        return len(records) if limit is None or len(records) < limit else None

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.allocate`."""
        return self.next_number(records, limit)

    def abandoned(self) -> frozenset[int]:
        """See `Study.abandoned`; there are no other processes."""
        return frozenset()

    def take_over(self, number: int) -> bool:
        """See `Study.take_over`; there is nothing to take."""
        return False

    def started(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.started`; trials are RUNNING until `finished`."""
        if self._known > len(records):  # it is not of this run, or the run was taken back to an earlier state
            self._set_aside()
            self._open()
        for record in records[self._known :]:
            proposal = Proposal(record.spec.method, record.spec.hyperparameters)
            trial = optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=stored_parameters(proposal, self._methods),
                distributions=stored_distributions(proposal.method, self._methods),
            )
            with _usable(self._path):
                self._study().add_trial(trial)
            self._known += 1

    def advanced(self, record: TrialRecord) -> None:
        """See `Study.advanced`; the run directory has it."""

    def peers(self) -> list[TrialRecord]:
        """See `Study.peers`; there are none."""
        return []

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.finished`."""
        with _usable(self._path):
            study = self._study()
            states = [trial.state for trial in study.get_trials(deepcopy=False)]
            for record, state in zip(records, states, strict=True):
                if not state.is_finished():
                    ended, value = outcome(record)
                    study.tell(record.spec.number, value, state=ended)

    def close(self) -> None:
        """See `Study.close`."""


def _is_damaged(path: Path) -> bool:
    """Whether there is a file that SQLite cannot make sense of; one that is locked or unreadable is not damaged."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Say in one line that the database cannot be used.

    Raises:
        RunError: the disk is full, or the file is damaged.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise RunError(
            f"cannot use {path}: {type(error).__name__}", hint="make room or restore the file, then `autopeft resume`"
        ) from error


def outcome(record: TrialRecord) -> tuple[TrialState, float | None]:
    """How a trial is closed, and the loss that it is closed with."""
    if record.state in ("failed", "oom") or not record.slices:
        return TrialState.FAIL, None
    return TrialState.COMPLETE, record.loss


def stored_parameters(proposal: Proposal, methods: Mapping[str, MethodSpec]) -> dict[str, object]:
    """Under the names that Optuna stores."""
    knobs = {knob.name: proposal.hyperparameters[knob.name] for knob in methods[proposal.method].knobs}
    return dict(Proposal(proposal.method, knobs).parameters())


def stored_distributions(
    method: str, methods: Mapping[str, MethodSpec]
) -> dict[str, optuna.distributions.BaseDistribution]:
    """Of the method and its knobs."""
    among = optuna.distributions.CategoricalDistribution(sorted(methods))
    return {"method": among} | distributions_of(methods[method])

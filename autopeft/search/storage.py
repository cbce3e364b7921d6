"""The run's own Optuna study on disk: every trial once, readable by Optuna's own tools and dashboard.

The run directory decides; this follows it, and catches up after a stop.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

STUDY_NAME = "autopeft"


class Study(Protocol):
    """Where trials get their numbers, and what is known of those of other processes."""

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """What the next trial would be called; None where `limit` trials have been begun."""
        ...

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """The number of a trial that begins now; None where another process was faster to the last one."""
        ...

    def adopted(self) -> Proposal | None:
        """The configuration of a trial whose process is gone, to be begun again here; None where there is none."""
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
    """

    def __init__(self, path: Path, methods: Mapping[str, MethodSpec]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._path = path
        self._methods = methods
        with _usable(path):
            self._study = optuna.create_study(
                storage=f"sqlite:///{path}", study_name=STUDY_NAME, load_if_exists=True, direction="minimize"
            )
            self._known = len(self._study.get_trials(deepcopy=False))

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.next_number`."""
        return len(records) if limit is None or len(records) < limit else None

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.allocate`."""
        return self.next_number(records, limit)

    def adopted(self) -> Proposal | None:
        """See `Study.adopted`; there are no other processes."""
        return None

    def started(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.started`; trials are RUNNING until `finished`."""
        for record in records[self._known :]:
            proposal = Proposal(record.spec.method, record.spec.hyperparameters)
            trial = optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=stored_parameters(proposal, self._methods),
                distributions=stored_distributions(proposal.method, self._methods),
            )
            with _usable(self._path):
                self._study.add_trial(trial)
            self._known += 1

    def advanced(self, record: TrialRecord) -> None:
        """See `Study.advanced`; the run directory has it."""

    def peers(self) -> list[TrialRecord]:
        """See `Study.peers`; there are none."""
        return []

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.finished`."""
        with _usable(self._path):
            states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
            for record, state in zip(records, states, strict=True):
                if not state.is_finished():
                    tell(self._study, record)

    def close(self) -> None:
        """See `Study.close`."""


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


def tell(study: optuna.Study, record: TrialRecord) -> None:
    """Close a trial."""
    if record.state in ("failed", "oom") or not record.slices:
        study.tell(record.spec.number, state=TrialState.FAIL)
    else:
        study.tell(record.spec.number, record.loss)


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

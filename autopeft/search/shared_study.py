"""One study that several processes work on, on several machines, through a PostgreSQL or MySQL database.

Each process keeps its own run directory with its own trials' states, and trains those only. The study gives numbers,
holds every trial's rungs, so that all are compared with all, and shows who is still there. The trials of a process that
has ended, or has not been heard of for `LEASE_SECONDS`, are anybody's: whoever's scheduler would train one further
takes it over, and begins it again from its start, since its state lies on the other machine.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.errors import InputError, RunError, UsageError
from autopeft.search.sampler import Proposal
from autopeft.search.shared_database import Database
from autopeft.search.shared_tables import Row, SharedTables
from autopeft.search.storage import outcome, stored_distributions, stored_parameters

HEARTBEAT_SECONDS = 20.0
LEASE_SECONDS = 180.0
# After the database was away, all who are there say so within two heartbeats; until then nobody is judged.
GRACE_SECONDS = 2 * HEARTBEAT_SECONDS


def agree(database: Database, identity: Mapping[str, Any], plan: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The plan that all processes of the study share: that of the first, which makes the study with it.

    Args:
        database: with the study's name.
        identity: of what is searched: model, data, task, methods.
        plan: makes this process's own plan, where it is the first.

    Raises:
        UsageError: there is a study of another plan under this name.
        RunError: the database cannot be used.
    """
    name = database.address.study
    tables = _tables(database)
    kept = _content(database, tables)
    if kept is None:
        if name in database.patiently(lambda: optuna.get_all_study_names(database.storage)):
            raise UsageError(
                f"the study {name!r} in {database.shown} was not made by autopeft", hint="name another --study"
            )
        content = {"identity": dict(identity), "plan": plan()}
        database.patiently(partial(tables.make, content))
        kept = _content(database, tables) or content
    differing = [key for key, value in identity.items() if kept["identity"].get(key) != value]
    if differing:
        raise UsageError(
            f"the study {name!r} in {database.shown} is of another search: its {differing[0]} differs",
            hint="give this one another name with --study",
        )
    agreed: dict[str, Any] = kept["plan"]
    return agreed


def _content(database: Database, tables: SharedTables) -> dict[str, Any] | None:
    with _undamaged(database):
        found = database.patiently(tables.content)
        if found is not None and not (isinstance(found["identity"], dict) and isinstance(found["plan"], dict)):
            raise ValueError("no plan")
        return found


def _tables(database: Database) -> SharedTables:
    return SharedTables(database.storage.engine, database.address.study, database.address.member)


class SharedStudy:
    """See `autopeft.search.storage.Study`.

    Args:
        database: with the study, which `agree` has made.
        methods: by id; they give the distributions.
        lease_seconds: a process that is silent for so long is thought gone.
        clock: gives seconds that never go backwards.

    Raises:
        RunError: the database cannot be used, or has lost the study.
    """

    def __init__(
        self,
        database: Database,
        methods: Mapping[str, MethodSpec],
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._methods = methods
        self._lease_seconds = lease_seconds
        self._tables = _tables(database)
        self._member = database.address.member
        if _content(database, self._tables) is None:
            raise RunError(
                f"there is no study {database.address.study!r} in {database.shown} any more",
                hint="restore the database, or begin a new search",
            )
        self._mirror = database.patiently(self._opened)
        self._rows: dict[int, Row] = {}
        self._version = -1
        self._told: set[int] = set()
        self._gone: frozenset[str] = frozenset()
        self._clock = clock
        self._judges_from = self._heard = clock()
        self._hear()
        self._refresh()
        self._end = threading.Event()
        threading.Thread(target=self._keep_beating, daemon=True).start()

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.next_number`; looks for what the others have done meanwhile, too."""
        self._refresh()
        begun = len(self._rows)
        if limit is None or begun < limit:
            return begun
        return next(iter(self._orphans()), None)

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.allocate`."""
        own = [n for n, row in self._rows.items() if row.member == self._member and row.content is None]
        begun = {record.spec.number for record in records}
        for number in own:
            if number not in begun:  # given to this process, whose answer was lost on the way
                return number
        return self._database.patiently(partial(self._tables.allocate, limit, self._orphans()))

    def abandoned(self) -> frozenset[int]:
        """See `Study.abandoned`."""
        return frozenset(n for n, row in self._rows.items() if row.member in self._gone and n not in self._told)

    def take_over(self, number: int) -> bool:
        """See `Study.take_over`."""
        return self._database.patiently(partial(self._tables.take, number))

    def started(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.started`."""
        for record in records:
            number = record.spec.number
            if number not in self._told:
                self._told.add(number)
                if self._tell(record) and (number not in self._rows or self._rows[number].mirror is None):
                    trial = self._database.patiently(partial(self._copy, record))
                    self._database.patiently(partial(self._tables.copied, number, trial))

    def advanced(self, record: TrialRecord) -> None:
        """See `Study.advanced`."""
        self._tell(record)

    def peers(self) -> list[TrialRecord]:
        """See `Study.peers`, as of the last look."""
        others = (row for number, row in sorted(self._rows.items()) if number not in self._told)
        with _undamaged(self._database):
            return [_record(row.content) for row in others if row.content is not None]

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.finished`; those of processes that are gone are closed as they were left."""
        self._refresh()
        left = self.abandoned()
        for record in [*records, *(peer for peer in self.peers() if peer.spec.number in left)]:
            row = self._rows[record.spec.number]
            # What another process has taken over is that one's to close.
            if row.mirror is not None and row.member in self._gone | {self._member}:
                with suppress(RuntimeError):  # Optuna's way to say that it is closed already
                    self._database.patiently(partial(self._close, row.mirror, record))
        self._database.patiently(self._tables.leave)

    def close(self) -> None:
        """See `Study.close`."""
        self._end.set()

    def _opened(self) -> optuna.Study:
        """Optuna's study, a copy for its own tools."""
        return optuna.create_study(
            storage=self._database.storage, study_name=self._database.address.study, load_if_exists=True
        )

    def _refresh(self) -> None:
        with _undamaged(self._database):
            for row in self._database.patiently(lambda: self._tables.newer(self._version)):
                self._rows[row.number] = row
                self._version = max(self._version, row.version)
        if self._may_judge() and any(row.member != self._member for row in self._rows.values()):
            self._gone = self._database.patiently(lambda: self._tables.silent(self._lease_seconds))

    def _may_judge(self) -> bool:
        """Whether the silence of others is theirs: while the database is away, nobody can be heard."""
        now = self._clock()
        return now - self._heard <= GRACE_SECONDS and now >= self._judges_from

    def _hear(self) -> None:
        """Say that this process is there; who could not for long gives the others time to say so, too."""
        self._database.patiently(self._tables.hear)
        now = self._clock()
        if now - self._heard > GRACE_SECONDS:
            self._judges_from = now + GRACE_SECONDS
        self._heard = now

    def _orphans(self) -> list[int]:
        """Numbers without a configuration, of processes that are gone."""
        return [n for n, row in sorted(self._rows.items()) if row.member in self._gone and row.content is None]

    def _tell(self, record: TrialRecord) -> bool:
        slices = [_shared(piece) for piece in record.slices]
        content = {"spec": record.spec.to_dict(), "state": record.state, "slices": slices}
        return self._database.patiently(partial(self._tables.tell, record.spec.number, content))

    def _copy(self, record: TrialRecord) -> int:
        proposal = Proposal(record.spec.method, record.spec.hyperparameters)
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=stored_parameters(proposal, self._methods),
            distributions=stored_distributions(proposal.method, self._methods),
            user_attrs={"trial": record.spec.number, "member": self._member},
        )
        return self._database.storage.create_new_trial(self._mirror._study_id, trial)

    def _close(self, mirror: int, record: TrialRecord) -> None:
        state, value = outcome(record)
        self._database.storage.set_trial_state_values(mirror, state, None if value is None else [value])

    def _keep_beating(self) -> None:
        while not self._end.wait(HEARTBEAT_SECONDS):
            # The search itself meets the same, and says so; if the database comes back, its trials are still its own.
            with suppress(RunError):
                self._hear()


@contextmanager
def _undamaged(database: Database) -> Iterator[None]:
    """Read what others have written.

    Raises:
        InputError: it makes no sense.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        message = f"the study {database.address.study!r} in {database.shown} is damaged: {reason}"
        raise InputError(message, hint="begin another one with --study") from error


def _shared(piece: SliceResult) -> dict[str, Any]:
    """A slice without what only its own run needs."""
    return piece.to_dict() | {"train_losses": [], "row_scores": []}


def _record(content: Mapping[str, Any]) -> TrialRecord:
    slices = [SliceResult.from_dict(piece) for piece in content["slices"]]
    return TrialRecord(TrialSpec.from_dict(content["spec"]), content["state"], slices)

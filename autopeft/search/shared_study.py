"""One study that several processes work on, on several machines, through a PostgreSQL or MySQL database.

Each process keeps its own run directory with its own trials' states, and trains those only. The study gives numbers,
holds every trial's rungs, so that all are compared with all, and shows who is still there: the trials of a process
that has not been heard of for `LEASE_SECONDS` are closed and begun again by whoever finds that out.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.errors import RunError, UsageError
from autopeft.search.sampler import Proposal
from autopeft.search.storage import stored_distributions, stored_parameters, tell
from autopeft.search.storage_address import parse_address

HEARTBEAT_SECONDS = 20.0
LEASE_SECONDS = 180.0
PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 2.0
MOST_CONNECTIONS = 8
RACE_SECONDS = 0.5
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Address:
    """Which study, and who this is.

    Attributes:
        url: of the database, with its password.
        study: name.
        member: of this run; a resumed run has the same.
    """

    url: str
    study: str
    member: str


class Database:
    """A study in a database that may be away for a while.

    Args:
        address: of it.
        note: is told when the database is waited for.
        clock: wall-clock seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        address: Address,
        note: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.address = address
        self.clock = clock
        self._note = note
        self._sleep = sleep
        self._url = parse_address(address.url)
        self.storage = self._connected()

    def _connected(self) -> RDBStorage:
        """Open the database, making its tables where there are none.

        Raises:
            RunError: it cannot be used.
        """
        url = self._url.render_as_string(hide_password=False)
        attempts = MOST_CONNECTIONS
        while True:
            attempts -= 1
            try:
                return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
            except (SQLAlchemyError, ImportError, StorageInternalError) as error:
                # Processes that begin at once get in each other's way when they make the tables.
                if isinstance(error, OperationalError) or attempts == 0:
                    raise self._unreachable(error) from None
            time.sleep(RACE_SECONDS)

    def patiently(self, work: Callable[[], _T]) -> _T:
        """Do something with the database; while it is away, wait for it.

        Raises:
            RunError: it stayed away for `PATIENCE_SECONDS`.
        """
        waited = 0.0
        while True:
            try:
                return work()
            except (SQLAlchemyError, StorageInternalError) as error:
                if waited >= PATIENCE_SECONDS:
                    raise self._unreachable(error) from None
                if waited == 0.0:
                    self._note(f"the study's database {self.shown} does not answer: waiting for it")
                self._sleep(RETRY_SECONDS)
                waited += RETRY_SECONDS

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    def _unreachable(self, error: Exception) -> RunError:
        cause = error.__cause__ or error
        text = next(iter(str(getattr(cause, "orig", cause)).strip().splitlines()), type(cause).__name__)
        if self._url.password:
            text = text.replace(str(self._url.password), "***")
        return RunError(f"the study's database {self.shown} cannot be used: {text}", hint="is it running, and yours?")


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
    known = database.patiently(lambda: optuna.get_all_study_names(database.storage))
    if name not in known:
        content = {"identity": dict(identity), "plan": plan()}
        try:
            study = optuna.create_study(storage=database.storage, study_name=name, direction="minimize")
            study.set_user_attr("autopeft", json.dumps(content))
        except DuplicatedStudyError:
            pass  # another process was faster by a moment
    kept = database.patiently(lambda: _content(database, name))
    if kept["identity"] != dict(identity):
        other = [key for key, value in identity.items() if kept["identity"].get(key) != value]
        raise UsageError(
            f"the study {name!r} in {database.shown} is of another search: its {other[0]} differs",
            hint="give this one another name with --study",
        )
    plain: dict[str, Any] = kept["plan"]
    return plain


def _content(database: Database, name: str) -> dict[str, Any]:
    for _ in range(50):  # its maker may be between the study and its content
        text = optuna.load_study(storage=database.storage, study_name=name).user_attrs.get("autopeft")
        if text is not None:
            content: dict[str, Any] = json.loads(text)
            return content
        time.sleep(0.1)
    raise UsageError(f"the study {name!r} in {database.shown} was not made by autopeft", hint="name another --study")


class _Given(RandomSampler):
    """Gives what it was told to; so a trial that has its number already gets its parameters."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.values: Mapping[str, Any] = {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """The value that was given."""
        return self.values[param_name]


class SharedStudy:
    """See `autopeft.search.storage.Study`.

    Args:
        database: with the study, which `agree` has made.
        methods: by id; they give the distributions.
    """

    def __init__(self, database: Database, methods: Mapping[str, MethodSpec]) -> None:
        self._database = database
        self._methods = methods
        self._sampler = _Given()
        sampler: BaseSampler = self._sampler
        self._study = database.patiently(
            lambda: optuna.load_study(storage=database.storage, study_name=database.address.study, sampler=sampler)
        )
        self._mine: dict[int, optuna.Trial] = {}
        self._adopted: list[Proposal] = []
        self._lost = 0
        self._beat()
        self._end = threading.Event()
        threading.Thread(target=self._keep_beating, daemon=True).start()

    def next_number(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.next_number`; looks for trials whose process is gone, too."""
        trials = self._trials()
        self._adopt(trials)
        count = len(trials)
        return count if limit is None or count - self._lost < limit else None

    def allocate(self, records: Sequence[TrialRecord], limit: int | None) -> int | None:
        """See `Study.allocate`."""
        trial = self._database.patiently(self._study.ask)
        if limit is not None and trial.number - self._lost >= limit:
            self._database.patiently(lambda: trial.set_user_attr("surplus", True))
            self._close(trial.number, TrialState.FAIL)
            return None
        self._database.patiently(lambda: trial.set_user_attr("member", self._database.address.member))
        self._mine[trial.number] = trial
        return trial.number

    def adopted(self) -> Proposal | None:
        """See `Study.adopted`."""
        return self._adopted.pop(0) if self._adopted else None

    def started(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.started`."""
        for record in records:
            trial = self._mine.get(record.spec.number)
            if trial is not None and "method" not in trial.params:
                proposal = Proposal(record.spec.method, record.spec.hyperparameters)
                self._sampler.values = stored_parameters(proposal, self._methods)
                for name, distribution in stored_distributions(proposal.method, self._methods).items():
                    self._database.patiently(partial(trial._suggest, name, distribution))

    def advanced(self, record: TrialRecord) -> None:
        """See `Study.advanced`."""
        number = record.spec.number
        if number not in self._mine:  # of an earlier session
            frozen = self._trials()[number]
            self._mine[number] = optuna.Trial(self._study, frozen._trial_id)
        content = json.dumps({"state": record.state, "slices": [_told(piece) for piece in record.slices]})
        with suppress(RuntimeError):  # closed: this run had been thought gone, and goes on with a trial of its own
            self._database.patiently(lambda: self._mine[number].set_user_attr("record", content))

    def peers(self) -> list[TrialRecord]:
        """See `Study.peers`."""
        member = self._database.address.member
        others = (t for t in self._trials() if t.user_attrs.get("member") not in (None, member))
        return [_record(trial) for trial in others if "method" in trial.params and "lost" not in trial.user_attrs]

    def finished(self, records: Sequence[TrialRecord]) -> None:
        """See `Study.finished`."""
        trials = self._trials()
        for record in records:
            if not trials[record.spec.number].state.is_finished():
                self._database.patiently(partial(tell, self._study, record))

    def close(self) -> None:
        """See `Study.close`."""
        self._end.set()

    def _trials(self) -> list[FrozenTrial]:
        return self._database.patiently(lambda: self._study.get_trials(deepcopy=False))

    def _adopt(self, trials: Sequence[FrozenTrial]) -> None:
        """Close the trials of processes that are gone; their configurations begin again here."""
        self._lost = sum("lost" in trial.user_attrs or "surplus" in trial.user_attrs for trial in trials)
        running = [trial for trial in trials if trial.state == TrialState.RUNNING and "lost" not in trial.user_attrs]
        members = {trial.user_attrs.get("member") for trial in running} - {None, self._database.address.member}
        if not members:
            return
        heard = self._database.patiently(lambda: self._study.user_attrs)
        gone = {m for m in members if self._database.clock() - heard.get(f"heard:{m}", 0.0) > LEASE_SECONDS}
        for trial in running:
            if trial.user_attrs.get("member") in gone and self._close(trial.number, TrialState.FAIL, lost=True):
                self._lost += 1
                if "method" in trial.params:
                    self._adopted.append(_proposal(trial))

    def _close(self, number: int, state: TrialState, *, lost: bool = False) -> bool:
        """Whether it was this process that closed the trial."""

        def close() -> bool:
            trial = self._study.get_trials(deepcopy=False)[number]
            if lost:
                self._study._storage.set_trial_user_attr(trial._trial_id, "lost", True)
            return bool(self._study._storage.set_trial_state_values(trial._trial_id, state))

        try:
            return self._database.patiently(close)
        except RuntimeError:  # Optuna's way to say that it is closed already
            return False

    def _beat(self) -> None:
        name = f"heard:{self._database.address.member}"
        self._database.patiently(lambda: self._study.set_user_attr(name, self._database.clock()))

    def _keep_beating(self) -> None:
        while not self._end.wait(HEARTBEAT_SECONDS):
            # The search itself meets the same, and says so; if the database comes back, its trials are still its own.
            with suppress(RunError):
                self._beat()


def _told(piece: SliceResult) -> dict[str, Any]:
    """A slice without what only its own run needs."""
    return piece.to_dict() | {"train_losses": [], "row_scores": []}


def _record(trial: FrozenTrial) -> TrialRecord:
    proposal = _proposal(trial)
    spec = TrialSpec(trial.number, proposal.method, proposal.hyperparameters, 0)
    told = trial.user_attrs.get("record")
    if told is None:
        return TrialRecord(spec)
    content = json.loads(told)
    return TrialRecord(spec, content["state"], [SliceResult.from_dict(piece) for piece in content["slices"]])


def _proposal(trial: FrozenTrial) -> Proposal:
    method = str(trial.params["method"])
    prefix = f"{method}."
    return Proposal(method, {n.removeprefix(prefix): v for n, v in trial.params.items() if n.startswith(prefix)})

"""The database of a shared study: opened, waited for while it is away, never shown with its password."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError, SQLAlchemyError

from autopeft.errors import RunError
from autopeft.search.shared_tables import TABLES
from autopeft.search.storage_address import parse_address

PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 2.0
MOST_CONNECTIONS = 8
RACE_SECONDS = 0.5
# What a database that does answer says: of a table or a right that is lacking, or a value that it cannot hold.
_FINAL = (DataError, ProgrammingError)
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
    """A database that may be away for a while.

    Args:
        address: of it.
        note: is told when the database is waited for.
        sleep: waits so many seconds.
    """

    def __init__(
        self, address: Address, note: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.address = address
        self._note = note
        self._sleep = sleep
        self._url = parse_address(address.url)
        self.storage = self._connected()

    def _connected(self) -> RDBStorage:
        """Open the database, making Optuna's tables and ours where there are none.

        Raises:
            RunError: it cannot be used.
        """
        url = self._url.render_as_string(hide_password=False)
        attempts = MOST_CONNECTIONS
        while True:
            attempts -= 1
            try:
                storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
                TABLES.create_all(storage.engine)
                return storage
            except (SQLAlchemyError, ImportError, StorageInternalError) as error:
                # Processes that begin at once get in each other's way when they make the tables.
                if isinstance(error, OperationalError) or attempts == 0:
                    raise self._unreachable(error) from None
            time.sleep(RACE_SECONDS)

    def patiently(self, work: Callable[[], _T]) -> _T:
        """Do something with the database; while it is away, wait for it.

        What is done must be fit to be done twice: an answer may be lost after the work was done.

        Raises:
            RunError: it stayed away for `PATIENCE_SECONDS`, or refuses.
        """
        waited = 0.0
        while True:
            try:
                return work()
            except (SQLAlchemyError, StorageInternalError) as error:
                if waited >= PATIENCE_SECONDS or isinstance(error, _FINAL):
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

"""The tables of a shared study, beside Optuna's in the same database: the plan, who is there, and whose each trial is.

Every change of a study takes its row's lock and the next `version`. So changes are seen in the order in which they
were made, and a process reads only what is newer than what it has.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

TABLES = MetaData()
# MySQL's plain text ends at 64 kB.
_LONG = Text().with_variant(Text(2**24), "mysql")
_STUDIES = Table(
    "autopeft_study",
    TABLES,
    Column("name", String(255), primary_key=True),
    Column("content", _LONG, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("begun", Integer, nullable=False),
)
_TRIALS = Table(
    "autopeft_trial",
    TABLES,
    Column("study", String(255), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("member", String(64), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("content", _LONG),
    Column("mirror", Integer),
)
_MEMBERS = Table(
    "autopeft_member",
    TABLES,
    Column("study", String(255), primary_key=True),
    Column("member", String(64), primary_key=True),
    Column("heard", Float, nullable=False),
)
# Of a process that has said that it trains no more.
LEFT = 0.0
_LOCAL_CLOCKS = ("mysql", "mariadb")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Row:
    """A trial of the study.

    Attributes:
        number: of it.
        member: the process that trains it.
        version: of its last change.
        content: spec, state and slices as plain values; None until its configuration is known.
        mirror: Optuna's id of its copy there, or None.
    """

    number: int
    member: str
    version: int
    content: dict[str, Any] | None
    mirror: int | None


class SharedTables:
    """What one process reads and writes; each method is one transaction.

    Args:
        engine: of the database.
        study: its name.
        member: this process.
    """

    def __init__(self, engine: Engine, study: str, member: str) -> None:
        self._engine = engine
        self._study = study
        self._member = member

    def content(self) -> dict[str, Any] | None:
        """What the study was made with; None where there is no such study."""
        with self._engine.connect() as connection:
            text = connection.scalar(select(_STUDIES.c.content).where(_STUDIES.c.name == self._study))
        return None if text is None else _plain(text)

    def make(self, content: Mapping[str, Any]) -> None:
        """Make the study, unless another process was faster."""
        row = {"name": self._study, "content": json.dumps(content), "version": 0, "begun": 0}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_STUDIES).values(row))
        except IntegrityError:
            pass

    def newer(self, version: int) -> list[Row]:
        """Trials that were changed after `version`."""
        wanted = select(_TRIALS).where(_TRIALS.c.study == self._study, _TRIALS.c.version > version)
        with self._engine.connect() as connection:
            found = connection.execute(wanted).all()
        return [
            Row(one.number, one.member, one.version, None if one.content is None else _plain(one.content), one.mirror)
            for one in found
        ]

    def allocate(self, limit: int | None, orphans: Sequence[int]) -> int | None:
        """The number of a new trial of this process, never given twice; None where `limit` have been begun.

        Args:
            limit: of trials in the study.
            orphans: numbers that were given to a process that never said what it would do with them.
        """
        for number in orphans:
            if self.take(number):
                return number

        def work(connection: Connection, version: int) -> int | None:
            number = connection.scalar(select(_STUDIES.c.begun).where(_STUDIES.c.name == self._study)) or 0
            if limit is not None and number >= limit:
                return None
            row = {"study": self._study, "number": number, "member": self._member, "version": version}
            connection.execute(insert(_TRIALS).values(row))
            connection.execute(update(_STUDIES).where(_STUDIES.c.name == self._study).values(begun=number + 1))
            return int(number)

        return self._changed(work)

    def take(self, number: int) -> bool:
        """Make a trial this process's own; False where it is no other's, or its process has been heard of again."""
        gone = select(_MEMBERS.c.member).where(_MEMBERS.c.study == self._study, _MEMBERS.c.heard == LEFT)
        others = (_TRIALS.c.member != self._member) & _TRIALS.c.member.in_(gone)
        return self._set(number, others, member=self._member)

    def tell(self, number: int, content: Mapping[str, Any]) -> bool:
        """Say what became of a trial; False where it is another process's by now."""
        return self._set(number, _TRIALS.c.member == self._member, content=json.dumps(content))

    def copied(self, number: int, mirror: int) -> None:
        """Note where Optuna's copy of a trial is."""
        self._set(number, _TRIALS.c.member == self._member, mirror=mirror)

    def hear(self) -> None:
        """Say that this process is there."""
        self._hear(self.now())

    def leave(self) -> None:
        """Say that this process trains no more."""
        self._hear(LEFT)

    def silent(self, lease_seconds: float) -> frozenset[str]:
        """The processes that have left, or been silent for so long; the latter are marked as having left."""
        late = (_MEMBERS.c.study == self._study) & (_MEMBERS.c.heard < self.now() - lease_seconds)
        with self._engine.begin() as connection:
            gone = connection.scalars(select(_MEMBERS.c.member).where(late)).all()
            if gone:
                connection.execute(update(_MEMBERS).where(late, _MEMBERS.c.heard != LEFT).values(heard=LEFT))
        return frozenset(gone)

    def now(self) -> float:
        """Seconds on the clock of the database, which is the same for all."""
        # MySQL's CURRENT_TIMESTAMP is of the session's zone, which differs between machines and jumps twice a year.
        in_utc = func.utc_timestamp() if self._engine.dialect.name in _LOCAL_CLOCKS else func.current_timestamp()
        with self._engine.connect() as connection:
            moment: datetime = connection.execute(select(in_utc)).scalar_one()
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _hear(self, heard: float) -> None:
        mine = (_MEMBERS.c.study == self._study) & (_MEMBERS.c.member == self._member)
        with self._engine.begin() as connection:
            if connection.execute(update(_MEMBERS).where(mine).values(heard=heard)).rowcount == 0:
                row = {"study": self._study, "member": self._member, "heard": heard}
                connection.execute(insert(_MEMBERS).values(row))

    def _set(self, number: int, condition: Any, **values: Any) -> bool:
        def work(connection: Connection, version: int) -> bool:
            one = (_TRIALS.c.study == self._study) & (_TRIALS.c.number == number) & condition
            return connection.execute(update(_TRIALS).where(one).values(version=version, **values)).rowcount > 0

        return self._changed(work)

    def _changed(self, work: Callable[[Connection, int], _T]) -> _T:
        """Do it under the study's lock, with the next version."""
        own = _STUDIES.c.name == self._study
        with self._engine.begin() as connection:
            connection.execute(update(_STUDIES).where(own).values(version=_STUDIES.c.version + 1))
            version = int(connection.scalar(select(_STUDIES.c.version).where(own)) or 0)
            return work(connection, version)


def _plain(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content

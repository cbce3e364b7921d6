"""The facts of a search by several objectives: the trials that nothing beats in all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autopeft.reporting import wording
from autopeft.reporting.reading import Record, number, record, records, texts, whole

_WORDS: Mapping[str, Callable[[float | None], str]] = {
    "memory": wording.size,
    "size": wording.parameters,
    "latency": wording.step_time,
    "time": wording.duration,
}


@dataclass(frozen=True, slots=True)
class Front:
    """The Pareto front of the search.

    Attributes:
        objectives: names; less is better in each.
        step: at which the trials are compared.
        rows: trial, and a text for each objective.
    """

    objectives: tuple[str, ...]
    step: int | None
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_front(result: Record, loss_decimals: int) -> Front | None:
    """The front; None for a search by one objective."""
    found = record(result, "pareto")
    objectives = texts(found, "objectives")
    rows = [(whole(entry, "trial"), record(entry, "values")) for entry in records(found, "front")]
    if not objectives or not rows:
        return None
    told = [
        (trial, tuple(_told(name, number(values, name), loss_decimals) for name in objectives))
        for trial, values in rows
        if trial is not None
    ]
    return Front(objectives, whole(found, "step"), tuple(told))


def _told(name: str, value: float | None, loss_decimals: int) -> str:
    words = _WORDS.get(name)
    return wording.score(value, loss_decimals) if words is None else words(value)

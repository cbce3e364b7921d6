"""The facts of which choice mattered: Optuna's importances, as the search computed them."""

from dataclasses import dataclass

from autopeft.reporting.reading import Record, number, pairs, record, text, whole


@dataclass(frozen=True, slots=True)
class Importance:
    """One choice: `method`, or `<method>.<hyperparameter>`; `share` of all importances."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Importances:
    """All of them.

    Attributes:
        entries: the greatest first.
        trials: that they were computed from.
        evaluator: what computed them, for people.
    """

    entries: tuple[Importance, ...]
    trials: int | None
    evaluator: str


def read_importances(result: Record) -> Importances | None:
    """The importances; None where there were too few trials to compute any."""
    found = record(result, "importances")
    shares = [(name, number(record(found, "shares"), name)) for name, _ in pairs(found, "shares")]
    entries = [Importance(name, share) for name, share in shares if share is not None]
    if not entries:
        return None
    ordered = sorted(entries, key=lambda entry: (-entry.share, entry.name))
    return Importances(tuple(ordered), whole(found, "trials"), text(found, "evaluator") or "Optuna")

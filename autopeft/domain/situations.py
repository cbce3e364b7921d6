"""A situation in which several conditions hold at once, if there is one that can be found.

Each fact is tried just below, at and just above every constant that it is compared with, and each text and flag with
every value that is named. What is found is real, since the conditions are asked; for conditions that compare single
facts with constants nothing is overlooked.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Final

from autopeft.domain.expression import Expression
from autopeft.domain.facts import FACTS, Facts, FactValue

# Far apart enough to make any quotient of two counts small or large.
_COUNTS: Final = (1.0, 1e12)
_NEAR: Final = 1e-6
_MOST: Final = 20_000


def common_situation(conditions: Sequence[Expression]) -> Facts | None:
    """Facts under which all conditions hold; None when none were found."""
    found: Iterator[dict[str, FactValue]] = iter([{}])
    for condition in conditions:
        found = _extended(found, condition, conditions)
    return next(islice(found, _MOST), None)


def _extended(
    known: Iterator[dict[str, FactValue]], condition: Expression, conditions: Sequence[Expression]
) -> Iterator[dict[str, FactValue]]:
    """Each of `known` with the further facts that `condition` asks for, where it then holds."""
    for facts in known:
        names = sorted(condition.names - facts.keys())
        for values in islice(product(*(_values(name, conditions) for name in names)), _MOST):
            situation = facts | dict(zip(names, values, strict=True))
            if condition.holds(situation):
                yield situation


def _values(name: str, conditions: Sequence[Expression]) -> list[FactValue]:
    """What is worth trying for a fact; unknown comes last."""
    constants = {value for one in conditions for value in one.compared_with.get(name, ())}
    fact = FACTS[name]
    if fact.kind == "flag":
        return [True, False, None]
    if fact.kind == "text":
        return [*sorted(str(value) for value in constants), "another", None]
    around = {near for value in constants for near in _around(float(value or 0))}
    return [*sorted(around | set(_COUNTS)), None]


def _around(number: float) -> tuple[float, float, float]:
    step = _NEAR * max(abs(number), 1.0)
    return number - step, number, number + step

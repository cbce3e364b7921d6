"""Typed three-valued logic: the parts that a condition is put together from.

Values are numbers, texts and flags; None is unknown. Logic is Kleene's: what does not depend on the unknown part is
decided, everything else that touches it is unknown.
"""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from autopeft.domain.facts import Facts, FactValue
from autopeft.errors import CatalogError

Kind = Literal["number", "text", "flag", "null"]
Evaluate = Callable[[Facts], FactValue]

MAX_NUMBER: Final = 1e18
LANGUAGE: Final = (
    "a condition has facts, numbers, strings, lists, comparisons, in, and, or, not, + - * / and nothing else"
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A part of a condition.

    Attributes:
        kind: of its value.
        evaluate: its value under given facts.
        fact: the fact that it is, if it is nothing else.
        literal: the value that it is, if it is a constant.
    """

    kind: Kind
    evaluate: Evaluate
    fact: str = ""
    literal: FactValue = None


def of_kind(kind: Kind, typed: Typed, node: ast.expr) -> Typed:
    """`typed` where its kind is the one that belongs there.

    Raises:
        CatalogError: it is of another kind.
    """
    if typed.kind != kind:
        raise CatalogError(
            f"a condition has a {typed.kind} ({ast.unparse(node)}) where a {kind} belongs", hint=LANGUAGE
        )
    return typed


def constant(value: object) -> Typed:
    """A value that is written in the condition.

    Raises:
        CatalogError: not a number, text, flag or null.
    """
    if value is None or isinstance(value, bool):
        return Typed("null" if value is None else "flag", lambda _facts: value, literal=value)
    if isinstance(value, str):
        return Typed("text", lambda _facts: value, literal=value)
    if isinstance(value, int | float):
        if abs(value) > MAX_NUMBER:
            raise CatalogError(f"a condition has a number above {MAX_NUMBER:g}", hint=LANGUAGE)
        number = float(value)
        return Typed("number", lambda _facts: number, literal=number)
    raise CatalogError(f"a condition may not contain a {type(value).__name__}", hint=LANGUAGE)


def junction(conjunction: bool, parts: list[Typed]) -> Typed:
    """Kleene's `and` or `or`: decided as soon as one part decides it, else unknown if one part is unknown."""

    def evaluate(facts: Facts) -> bool | None:
        values = [part.evaluate(facts) for part in parts]
        if (not conjunction) in values:
            return not conjunction
        return None if None in values else conjunction

    return Typed("flag", evaluate)


def negation(part: Typed) -> Typed:
    """Kleene's `not`."""

    def evaluate(facts: Facts) -> bool | None:
        value = part.evaluate(facts)
        return None if value is None else not value

    return Typed("flag", evaluate)


def arithmetic(operation: Callable[[float, float], float], left: Typed, right: Typed) -> Typed:
    """A sum, difference, product or quotient; division by zero is unknown."""

    def evaluate(facts: Facts) -> float | None:
        first, second = _as_float(left.evaluate(facts)), _as_float(right.evaluate(facts))
        if first is None or second is None or (operation is operator.truediv and second == 0):
            return None
        return operation(first, second)

    return Typed("number", evaluate)


def ordering(operation: Callable[[float, float], bool], left: Typed, right: Typed) -> Typed:
    """A comparison of two numbers."""

    def evaluate(facts: Facts) -> bool | None:
        first, second = _as_float(left.evaluate(facts)), _as_float(right.evaluate(facts))
        return None if first is None or second is None else operation(first, second)

    return Typed("flag", evaluate)


def equality(left: Typed, right: Typed, node: ast.expr) -> Typed:
    """Whether two values of one kind are the same; against null, whether the other is unknown."""
    if "null" in (left.kind, right.kind):
        return Typed("flag", lambda facts: left.evaluate(facts) is None and right.evaluate(facts) is None)
    of_kind(left.kind, right, node)

    def evaluate(facts: Facts) -> bool | None:
        first, second = left.evaluate(facts), right.evaluate(facts)
        return None if first is None or second is None else first == second

    return Typed("flag", evaluate)


def _as_float(value: FactValue) -> float | None:
    try:
        return None if value is None else float(value)
    except (ValueError, OverflowError):
        return None

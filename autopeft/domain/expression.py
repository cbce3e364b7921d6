"""The safe expression language of rule conditions.

    architecture_kind == "decoder" and model_parameters >= 1e9
    training_rows * epochs / batch_size < 100
    task in ["causal-lm", "text-to-text"] and not few_trials

Numbers, strings, lists, `true`, `false`, `null`, the names of the fact vocabulary, comparisons, `in`, `and`,
`or`, `not`, `+ - * /` and parentheses: nothing else. There are no calls, attributes or subscripts, so an
expression can compute a value and can do nothing. Types are checked when it is read.

Logic is three-valued (Kleene): a fact that is None makes its comparison unknown, `not` unknown is unknown,
and an expression that comes out unknown does not hold. `fact == null` and `fact != null` ask whether it is
known.
"""

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from autopeft.domain.facts import FACTS, Fact, Facts, FactValue
from autopeft.errors import CatalogError

MAX_LENGTH = 500
MAX_DEPTH = 20
_MAX_NUMBER = 1e18

_Kind = Literal["number", "text", "flag", "null"]
_Evaluate = Callable[[Facts], FactValue]
_WORDS: Mapping[str, FactValue] = {"true": True, "false": False, "null": None}
_ORDERS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SUMS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that has been read and checked.

    Attributes:
        text: as written.
        names: the facts it asks for.
    """

    text: str
    names: frozenset[str]
    _evaluate: _Evaluate

    def holds(self, facts: Facts) -> bool:
        """Whether the condition is true of `facts`; a missing fact is unknown, and unknown does not hold."""
        return self._evaluate(facts) is True


@dataclass(frozen=True, slots=True)
class _Typed:
    kind: _Kind
    evaluate: _Evaluate


def parse_expression(text: str, vocabulary: Mapping[str, Fact] = FACTS) -> Expression:
    """The condition that `text` writes.

    Raises:
        CatalogError: it is too long or too deep, names no fact, mixes types, or is not of this language.
    """
    tree = _syntax(text)
    reader = _Reader(vocabulary)
    whole = reader.read(tree, 0)
    if whole.kind != "flag":
        raise CatalogError(
            f"the condition {text!r} is a {whole.kind}, not true or false", hint="compare it with something"
        )
    return Expression(text, frozenset(reader.names), whole.evaluate)


def _syntax(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise CatalogError(f"a condition has {len(text)} characters", hint=f"the limit is {MAX_LENGTH}; split the rule")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, Warning, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise CatalogError(f"the condition {text!r} cannot be read: {reason}", hint=_LANGUAGE) from None


_LANGUAGE = "a condition has facts, numbers, strings, lists, comparisons, in, and, or, not, + - * / and nothing else"


class _Reader:
    """Turns a syntax tree into a function of the facts, refusing every node that is not listed here."""

    def __init__(self, vocabulary: Mapping[str, Fact]) -> None:
        self.vocabulary = vocabulary
        self.names: set[str] = set()

    def read(self, node: ast.expr, depth: int) -> _Typed:  # noqa: PLR0911 - one return for each kind of node
        if depth > MAX_DEPTH:
            raise CatalogError(f"a condition is nested deeper than {MAX_DEPTH}", hint="split the rule")
        match node:
            case ast.Constant(value=value):
                return _constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=op, values=values):
                return _junction(isinstance(op, ast.And), [self._flag(value, depth) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _negation(self._flag(operand, depth))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _arithmetic(operator.sub, _constant(0), self._number(operand, depth))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
                return _arithmetic(_SUMS[type(op)], self._number(left, depth), self._number(right, depth))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparison(left, ops, others, depth)
        raise CatalogError(f"a condition may not contain {_plain(node)}", hint=_LANGUAGE)

    def _name(self, name: str) -> _Typed:
        if name in _WORDS:
            return _constant(_WORDS[name])
        fact = self.vocabulary.get(name)
        if fact is None:
            close = difflib.get_close_matches(name, [*self.vocabulary, *_WORDS], n=1)
            hint = f"did you mean {close[0]}?" if close else f"the facts are {', '.join(self.vocabulary)}"
            raise CatalogError(f"a condition names the unknown fact {name!r}", hint=hint)
        self.names.add(name)
        return _Typed(fact.kind, lambda facts: facts.get(name))

    def _flag(self, node: ast.expr, depth: int) -> _Typed:
        return _of_kind("flag", self.read(node, depth + 1), node)

    def _number(self, node: ast.expr, depth: int) -> _Typed:
        return _of_kind("number", self.read(node, depth + 1), node)

    def _comparison(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], depth: int) -> _Typed:
        links = []
        for op, right in zip(ops, others, strict=True):
            links.append(self._link(left, op, right, depth))
            left = right
        return links[0] if len(links) == 1 else _junction(True, links)

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> _Typed:
        if type(op) in _ORDERS:
            return _ordering(_ORDERS[type(op)], self._number(left, depth), self._number(right, depth))
        if isinstance(op, ast.Eq | ast.NotEq):
            same = _equality(self.read(left, depth + 1), self.read(right, depth + 1), right)
            return same if isinstance(op, ast.Eq) else _negation(same)
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            item = self.read(left, depth + 1)
            among = _junction(False, [_equality(item, self.read(one, depth + 1), one) for one in right.elts])
            return among if isinstance(op, ast.In) else _negation(among)
        raise CatalogError(f"a condition may not compare with {_plain(op)} {_plain(right)}", hint=_LANGUAGE)


def _plain(node: ast.AST) -> str:
    return f"'{type(node).__name__}'"


def _of_kind(kind: _Kind, typed: _Typed, node: ast.expr) -> _Typed:
    if typed.kind != kind:
        raise CatalogError(
            f"a condition has a {typed.kind} ({ast.unparse(node)}) where a {kind} belongs", hint=_LANGUAGE
        )
    return typed


def _constant(value: object) -> _Typed:
    if value is None or isinstance(value, bool):
        return _Typed("null" if value is None else "flag", lambda _facts: value)
    if isinstance(value, str):
        return _Typed("text", lambda _facts: value)
    if isinstance(value, int | float):
        if abs(value) > _MAX_NUMBER:
            raise CatalogError(f"a condition has a number above {_MAX_NUMBER:g}", hint=_LANGUAGE)
        number = float(value)
        return _Typed("number", lambda _facts: number)
    raise CatalogError(f"a condition may not contain a {type(value).__name__}", hint=_LANGUAGE)


def _junction(conjunction: bool, parts: list[_Typed]) -> _Typed:
    """Kleene's `and` or `or`: decided as soon as one part decides it, else unknown if one part is unknown."""

    def evaluate(facts: Facts) -> bool | None:
        values = [part.evaluate(facts) for part in parts]
        if (not conjunction) in values:
            return not conjunction
        return None if None in values else conjunction

    return _Typed("flag", evaluate)


def _negation(part: _Typed) -> _Typed:
    def evaluate(facts: Facts) -> bool | None:
        value = part.evaluate(facts)
        return None if value is None else not value

    return _Typed("flag", evaluate)


def _arithmetic(operation: Callable[[float, float], float], left: _Typed, right: _Typed) -> _Typed:
    def evaluate(facts: Facts) -> float | None:
        first, second = _as_float(left.evaluate(facts)), _as_float(right.evaluate(facts))
        if first is None or second is None or (operation is operator.truediv and second == 0):
            return None
        return operation(first, second)

    return _Typed("number", evaluate)


def _ordering(operation: Callable[[float, float], bool], left: _Typed, right: _Typed) -> _Typed:
    def evaluate(facts: Facts) -> bool | None:
        first, second = _as_float(left.evaluate(facts)), _as_float(right.evaluate(facts))
        return None if first is None or second is None else operation(first, second)

    return _Typed("flag", evaluate)


def _equality(left: _Typed, right: _Typed, node: ast.expr) -> _Typed:
    if "null" in (left.kind, right.kind):
        return _Typed("flag", lambda facts: left.evaluate(facts) is None and right.evaluate(facts) is None)
    _of_kind(left.kind, right, node)

    def evaluate(facts: Facts) -> bool | None:
        first, second = left.evaluate(facts), right.evaluate(facts)
        return None if first is None or second is None else first == second

    return _Typed("flag", evaluate)


def _as_float(value: FactValue) -> float | None:
    try:
        return None if value is None else float(value)
    except (ValueError, OverflowError):
        return None

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

from autopeft.domain.facts import FACTS, Fact, Facts, FactValue
from autopeft.domain.typed_logic import (
    LANGUAGE,
    Evaluate,
    Typed,
    arithmetic,
    constant,
    equality,
    junction,
    negation,
    of_kind,
    ordering,
)
from autopeft.errors import CatalogError

MAX_LENGTH = 500
MAX_DEPTH = 20

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
        compared_with: fact -> the constants that it is compared with.
    """

    text: str
    names: frozenset[str]
    compared_with: Mapping[str, frozenset[FactValue]]
    _evaluate: Evaluate

    def holds(self, facts: Facts) -> bool:
        """Whether the condition is true of `facts`; a missing fact is unknown, and unknown does not hold."""
        return self._evaluate(facts) is True


def parse_expression(text: str, vocabulary: Mapping[str, Fact] = FACTS) -> Expression:
    """The condition that `text` writes.

    Raises:
        CatalogError: it is too long or too deep, names no fact, mixes types, or is not of this language.
    """
    tree = read_syntax(text)
    reader = _Reader(vocabulary)
    whole = reader.read(tree, 0)
    if whole.kind != "flag":
        raise CatalogError(
            f"the condition {text!r} is a {whole.kind}, not true or false", hint="compare it with something"
        )
    compared_with = {name: frozenset(values) for name, values in reader.compared_with.items()}
    return Expression(text, frozenset(compared_with), compared_with, whole.evaluate)


def read_syntax(text: str) -> ast.expr:
    """The syntax tree of a condition, not yet checked.

    Raises:
        CatalogError: it is too long, or no expression at all.
    """
    if len(text) > MAX_LENGTH:
        raise CatalogError(f"a condition has {len(text)} characters", hint=f"the limit is {MAX_LENGTH}; split the rule")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, Warning, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise CatalogError(f"the condition {text!r} cannot be read: {reason}", hint=LANGUAGE) from None


class _Reader:
    """Turns a syntax tree into a function of the facts, refusing every node that is not listed here."""

    def __init__(self, vocabulary: Mapping[str, Fact]) -> None:
        self.vocabulary = vocabulary
        self.compared_with: dict[str, set[FactValue]] = {}

    def read(self, node: ast.expr, depth: int) -> Typed:  # noqa: PLR0911 - one return for each kind of node
        if depth > MAX_DEPTH:
            raise CatalogError(f"a condition is nested deeper than {MAX_DEPTH}", hint="split the rule")
        match node:
            case ast.Constant(value=value):
                return constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=op, values=values):
                return junction(isinstance(op, ast.And), [self._flag(value, depth) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return negation(self._flag(operand, depth))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return arithmetic(operator.sub, constant(0), self._number(operand, depth))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
                return arithmetic(_SUMS[type(op)], self._number(left, depth), self._number(right, depth))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparison(left, ops, others, depth)
        raise CatalogError(f"a condition may not contain {_plain(node)}", hint=LANGUAGE)

    def _name(self, name: str) -> Typed:
        if name in _WORDS:
            return constant(_WORDS[name])
        fact = self.vocabulary.get(name)
        if fact is None:
            close = difflib.get_close_matches(name, [*self.vocabulary, *_WORDS], n=1)
            hint = f"did you mean {close[0]}?" if close else f"the facts are {', '.join(self.vocabulary)}"
            raise CatalogError(f"a condition names the unknown fact {name!r}", hint=hint)
        self.compared_with.setdefault(name, set())
        return Typed(fact.kind, lambda facts: facts.get(name), fact=name)

    def _flag(self, node: ast.expr, depth: int) -> Typed:
        return of_kind("flag", self.read(node, depth + 1), node)

    def _number(self, node: ast.expr, depth: int) -> Typed:
        return of_kind("number", self.read(node, depth + 1), node)

    def _comparison(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], depth: int) -> Typed:
        links = []
        for op, right in zip(ops, others, strict=True):
            links.append(self._link(left, op, right, depth))
            left = right
        return links[0] if len(links) == 1 else junction(True, links)

    def _link(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Typed:
        if type(op) in _ORDERS:
            first, second = self._number(left, depth), self._number(right, depth)
            self._note(first, second)
            return ordering(_ORDERS[type(op)], first, second)
        item = self.read(left, depth + 1)
        if isinstance(op, ast.Eq | ast.NotEq):
            same = self._same(item, right, depth)
            return same if isinstance(op, ast.Eq) else negation(same)
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            among = junction(False, [self._same(item, one, depth) for one in right.elts])
            return among if isinstance(op, ast.In) else negation(among)
        raise CatalogError(f"a condition may not compare with {_plain(op)} {_plain(right)}", hint=LANGUAGE)

    def _same(self, item: Typed, node: ast.expr, depth: int) -> Typed:
        other = self.read(node, depth + 1)
        self._note(item, other)
        return equality(item, other, node)

    def _note(self, left: Typed, right: Typed) -> None:
        """Remember what a fact is compared with, and refuse a text that the fact never is."""
        for fact, other in ((left, right), (right, left)):
            if not fact.fact or other.literal is None:
                continue
            self.compared_with[fact.fact].add(other.literal)
            values = self.vocabulary[fact.fact].values
            if values and isinstance(other.literal, str) and other.literal not in values:
                close = difflib.get_close_matches(other.literal, values, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"it is one of {', '.join(values)}"
                raise CatalogError(f"{fact.fact} is never {other.literal!r}", hint=hint)


def _plain(node: ast.AST) -> str:
    return f"'{type(node).__name__}'"

"""A rule in plain words: its condition and what follows from it."""

import ast
from collections.abc import Mapping

from autopeft.domain.expression import read_syntax
from autopeft.domain.facts import FACTS, Fact
from autopeft.domain.knobs import Value
from autopeft.domain.rules import Effect, Rule
from autopeft.domain.selectors import EVERY, Term, read_selector
from autopeft.domain.units import format_bytes, format_count

_ORDERS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "below",
    ast.LtE: "at most",
    ast.Gt: "above",
    ast.GtE: "at least",
    ast.Eq: "",
    ast.NotEq: "not",
}
_SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "over"}
_PROPERTIES: Mapping[str, str] = {
    "can": "that can be {}",
    "cannot": "that cannot be {}",
    "knob": "with a knob {}",
    "builder": "built as {}",
    "requires": "that need a model that {}",
}
_FAMILIES = ("additive", "selective", "reparametrization", "hybrid", "control")
_CAPABILITIES: Mapping[str, str] = {
    "mergeable": "merged into the weights",
    "zero_inference_overhead": "used at no cost at inference",
    "gradient_checkpointing": "run with recomputed activations",
    "quantized_base": "trained on a quantised base",
}


def condition_in_words(text: str) -> str:
    """A condition, checked before, as a sentence without a full stop.

    Args:
        text: in the expression language.

    Raises:
        CatalogError: it cannot be read.
    """
    return _clause(read_syntax(text))


def effect_in_words(effect: Effect, points: float | None = None) -> str:
    """An effect as a phrase: `prefer lora by 2 points`.

    Args:
        effect: of a rule.
        points: what it counts for in the score, where that is not its weight.
    """
    methods = _methods(effect)
    match effect.kind:
        case "exclude":
            return f"exclude {methods}: {effect.ground}"
        case "require":
            return f"exclude all but {methods}: {effect.ground}"
        case "prefer" | "penalise":
            weight = effect.weight if points is None else points
            return f"{effect.kind} {methods} by {weight:g} point{'' if weight == 1 else 's'}"
        case "set":
            return f"start {effect.knob} of {methods} at {_value(effect.value)}"
        case "widen" | "narrow":
            return f"{effect.kind} {effect.knob} of {methods} to {_range(effect)}"
    return f"tell this of {methods}"


def standing(rule: Rule) -> str:
    """How well founded a rule is, in a sentence or two."""
    known = "Verified: the claim was seen in its source."
    if rule.status == "prior":
        known = "A prior: recalled, not checked against the source."
    sure = f" Its points count by its confidence, {rule.confidence:g}." if rule.confidence < 1 else ""
    drawn = f" Drawn from the measurements {', '.join(rule.drawn_from)}." if rule.drawn_from else ""
    found = f" Carries out finding {', '.join(rule.findings)}." if rule.findings else ""
    return f"{known}{sure}{found}{drawn} Version {rule.version}."


def _methods(effect: Effect) -> str:
    named = ", ".join(map(_selector, effect.methods))
    but = ", ".join(map(_selector, effect.but))
    return f"{named} but {but}" if but else named


def _selector(text: str) -> str:
    terms = read_selector(text)
    nouns = [term for term in terms if not term.kind]
    head = " ".join(_noun(term) for term in nouns) or "methods"
    return " ".join([head, *(_property(term) for term in terms if term.kind)])


def _noun(term: Term) -> str:
    if term.name == EVERY:
        return "every method"
    return f"{term.name} methods" if term.name in _FAMILIES else term.name


def _property(term: Term) -> str:
    name = term.name.replace("_", " ") if term.kind == "requires" else _CAPABILITIES.get(term.name, term.name)
    return _PROPERTIES[term.kind].format(name)


def _range(effect: Effect) -> str:
    if effect.low is None:
        return f"at most {_value(effect.high)}"
    return f"at least {_value(effect.low)}" if effect.high is None else f"{_value(effect.low)} to {_value(effect.high)}"


def _value(value: Value | None) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _clause(node: ast.expr, parent: ast.expr | None = None) -> str:
    match node:
        case ast.BoolOp(op=op, values=values):
            text = (" and " if isinstance(op, ast.And) else " or ").join(_clause(value, node) for value in values)
            return f"({text})" if isinstance(parent, ast.BoolOp) else text
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)) if name in FACTS:
            return FACTS[name].otherwise
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"it does not hold that {_clause(operand)}"
        case ast.Name(id=name) if name in FACTS:
            return FACTS[name].phrase
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _comparison(left, op, right)
    return ast.unparse(node)


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    fact = next((FACTS[node.id] for node in (left, right) if isinstance(node, ast.Name) and node.id in FACTS), None)
    subject = _operand(left, fact)
    if isinstance(right, ast.Constant | ast.Name) and ast.unparse(right) in ("null", "None"):
        return f"{subject} is {'not known' if isinstance(op, ast.Eq) else 'known'}"
    if isinstance(right, ast.List | ast.Tuple):
        among = " or ".join(_operand(one, fact) for one in right.elts)
        return f"{subject} is {'not ' if isinstance(op, ast.NotIn) else ''}{among}"
    return " ".join(filter(None, [subject, "is", _ORDERS.get(type(op), ""), _operand(right, fact)]))


def _operand(node: ast.expr, fact: Fact | None) -> str:
    match node:
        case ast.Name(id=name) if name in FACTS:
            return FACTS[name].phrase
        case ast.Constant(value=str(value)):
            return value
        case ast.Constant(value=int(value) | float(value)):
            return _amount(float(value), fact)
        case ast.BinOp(left=left, op=op, right=right):
            return f"{_operand(left, None)} {_SIGNS.get(type(op), '?')} {_operand(right, None)}"
    return ast.unparse(node)


def _amount(value: float, fact: Fact | None) -> str:
    unit = fact.unit if fact and fact.unit not in fact.phrase else ""
    if unit == "bytes":
        return format_bytes(value)
    if unit == "parameters":
        return f"{format_count(value)} parameters"
    if unit.startswith("of the"):
        return f"{100 * value:g} % {unit}"
    return f"{value:,g} {unit}".rstrip()

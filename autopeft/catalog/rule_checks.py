"""Checks of the rules against the facts, the methods and their own test cases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from autopeft.catalog.problems import Problem
from autopeft.catalog.rule_schema import RuleSchema
from autopeft.catalog.source_file import FieldPath, SourceFile
from autopeft.catalog.vocabulary import BUILDERS, REQUIREMENTS
from autopeft.domain.expression import Expression, parse_expression
from autopeft.domain.facts import FACTS, FactValue
from autopeft.domain.knobs import Knob
from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Effect, Rule
from autopeft.domain.selectors import EVERY, PROPERTIES, Term, means, read_selector, selects
from autopeft.errors import CatalogError, UsageError

FAMILIES = frozenset({"additive", "selective", "reparametrization", "hybrid", "control"})
_KINDS = {"number": (int, float), "text": (str,), "flag": (bool,)}


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule and the place where it stands.

    Attributes:
        file: that it is written in.
        index: its number in the file.
        rule: as a domain object.
    """

    file: SourceFile
    index: int
    rule: Rule

    def problem(self, what: str, *path: str | int) -> Problem:
        """A problem with the field of the rule at `path`."""
        where: FieldPath = ("rules", self.index, *path)
        return self.file.problem(where, what)


def placed(file: SourceFile, index: int, entry: RuleSchema) -> PlacedRule:
    """A rule as read, with its place."""
    return PlacedRule(file, index, entry.to_domain())


def check_rule(one: PlacedRule, methods: Sequence[MethodSpec], names: Mapping[str, frozenset[str]]) -> list[Problem]:
    """What is wrong with a rule by itself.

    Args:
        one: the rule.
        methods: those that could be read.
        names: folder -> the names of all its files, broken ones too.
    """
    condition, problems = _condition(one, names)
    for number, effect in enumerate(one.rule.effects):
        problems += _selectors(one, number, effect, methods, names["methods"])
        problems += _knob(one, number, effect, methods)
    for number, table in enumerate(one.rule.drawn_from):
        if table not in names["evidence"]:
            hint = _suggestion(table, names["evidence"])
            problems.append(one.problem(f"there is no evidence {table!r}{hint}", "drawn_from", number))
    return problems + (list(_cases(one, condition)) if condition else [])


def _condition(one: PlacedRule, names: Mapping[str, frozenset[str]]) -> tuple[Expression | None, list[Problem]]:
    try:
        condition = parse_expression(one.rule.when)
    except CatalogError as error:
        what = f"{error.message} ({error.hint})" if error.hint else error.message
        return None, [one.problem(what, "when")]
    problems = []
    if any(effect.ground for effect in one.rule.effects):
        problems = [
            one.problem(f"{name} makes no method impossible: what is only worse is penalised, not excluded", "when")
            for name in sorted(condition.names)
            if not FACTS[name].may_exclude
        ]
    for task in sorted(map(str, condition.compared_with.get("task", ()))):
        if task not in names["tasks"]:
            problems.append(one.problem(f"there is no task {task!r}{_suggestion(task, names['tasks'])}", "when"))
    if condition.holds({}):
        problems.append(one.problem("it holds when nothing at all is known", "when"))
    return condition, problems


def _cases(one: PlacedRule, condition: Expression) -> Iterable[Problem]:
    for number, case in enumerate(one.rule.cases):
        wrong = [name for name in case.given if name not in FACTS or not _is_of_kind(name, case.given[name])]
        for name in wrong:
            what = f"{name} is a {FACTS[name].kind}" if name in FACTS else f"there is no fact {name!r}"
            yield one.problem(
                what + ("" if name in FACTS else _suggestion(name, FACTS)), "cases", number, "given", name
            )
        if not wrong and condition.holds(case.given) is not case.fires:
            does = "does not fire" if case.fires else "fires"
            yield one.problem(f"the rule {does} on its own case", "cases", number)


def _is_of_kind(name: str, value: FactValue) -> bool:
    kind = FACTS[name].kind
    return value is None or (isinstance(value, _KINDS[kind]) and isinstance(value, bool) == (kind == "flag"))


def _selectors(
    one: PlacedRule, number: int, effect: Effect, methods: Sequence[MethodSpec], ids: frozenset[str]
) -> Iterable[Problem]:
    known = _known_names(methods, ids)
    for field, selectors in (("methods", effect.methods), ("but", effect.but)):
        for position, text in enumerate(selectors):
            place = ("effects", number, field, position)
            faults = [fault for term in read_selector(text) if (fault := _term_fault(term, known))]
            if not faults and not set(text.split()) & ids and not any(selects([text], method) for method in methods):
                faults = [f"{text!r} fits no method"]
            yield from (one.problem(fault, *place) for fault in faults)


def _known_names(methods: Sequence[MethodSpec], ids: frozenset[str]) -> Mapping[str, frozenset[str]]:
    capabilities = frozenset(name for method in methods for name in method.capabilities)
    return {
        "": ids | FAMILIES | {EVERY},
        "can": capabilities,
        "cannot": capabilities,
        "knob": frozenset(knob.name for method in methods for knob in method.knobs),
        "builder": BUILDERS,
        "requires": REQUIREMENTS,
    }


def _term_fault(term: Term, known: Mapping[str, frozenset[str]]) -> str:
    if term.kind not in known:
        return f"{term.kind!r} is no property of a method; these are {', '.join(PROPERTIES)}"
    if term.name in known[term.kind]:
        return ""
    what = {"": "method or family", "can": "capability", "cannot": "capability"}.get(term.kind, term.kind)
    return f"there is no {what} {term.name!r}{_suggestion(term.name, known[term.kind])}"


def _knob(one: PlacedRule, number: int, effect: Effect, methods: Sequence[MethodSpec]) -> Iterable[Problem]:
    """A start within the range, a range that can be had, and somebody who has the knob."""
    if not effect.knob:
        return
    meant = [method for method in methods if means(effect, method)]
    touched = [(method.id, knob) for method in meant for knob in method.knobs if knob.name == effect.knob]
    if meant and not touched:
        what = f"none of these methods has a knob {effect.knob!r}"
        known = {knob.name for method in meant for knob in method.knobs}
        yield one.problem(what + _suggestion(effect.knob, known), "effects", number, "knob")
    field = ("value",) if effect.kind == "set" else ()
    for method, knob in touched:
        if fault := _start_fault(effect, knob) if effect.kind == "set" else _range_fault(effect, knob):
            yield one.problem(f"{method}: {fault}", "effects", number, *field)
    if touched and effect.kind != "set" and not any(_changes(effect, knob) for _, knob in touched):
        yield one.problem(f"it does not {effect.kind} the range of {effect.knob} for any method", "effects", number)


def _start_fault(effect: Effect, knob: Knob) -> str:
    try:
        knob.check("" if effect.value is None else effect.value)
    except UsageError as error:
        return f"{error.message} ({error.hint})"
    return f"{effect.value!r} is no whole number" if knob.kind == "int" and isinstance(effect.value, float) else ""


def _range_fault(effect: Effect, knob: Knob) -> str:
    """Why the range cannot be had; only a narrowed one can end up empty."""
    if knob.low is None or knob.high is None:
        return f"{knob.name} has choices and no range"
    below = effect.high is not None and effect.high < knob.low
    above = effect.low is not None and effect.low > knob.high
    if effect.kind == "narrow" and (below or above):
        return f"nothing is left of the range of {knob.name}, {knob.low:g} to {knob.high:g}"
    if knob.log and effect.low is not None and effect.low <= 0:
        return f"the range of {knob.name} is logarithmic and starts above zero"
    return ""


def _changes(effect: Effect, knob: Knob) -> bool:
    """Whether the range becomes another one."""
    if knob.low is None or knob.high is None:
        return True
    wider = effect.kind == "widen"
    low = effect.low is not None and (effect.low < knob.low if wider else effect.low > knob.low)
    return low or (effect.high is not None and (effect.high > knob.high if wider else effect.high < knob.high))


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""

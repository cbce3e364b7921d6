"""Whatever a condition says, reading and evaluating it computes a flag or refuses; it never runs anything."""

import builtins
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft.domain.expression import MAX_DEPTH, MAX_LENGTH, parse_expression
from autopeft.domain.facts import FACTS
from autopeft.errors import CatalogError

ATTACKS = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: true)()",
    "[x for x in [1]] == [1]",
    "open('/etc/passwd')",
    "task.upper() == 'A'",
    "task[0] == 'a'",
    "2 ** 99 > 1",
    "9 // 2 > 1",
    "1 << 9 > 1",
    "(task := 'a') == 'a'",
    "f'{task}' == 'a'",
    "true if few_trials else false",
    "{1: 2} == {1: 2}",
    "b'a' == b'a'",
    "1j == 1j",
    "... == ...",
    "task is null",
    "await task",
    "yield",
    "task in 'abc'",
    "print",
    "*task",
    "1e400 > 1",
    "'a' * 3 == 'aaa'",
    "few_trials > 1",
    "model_parameters",
    "task == 1",
    "1 in few_trials",
    "",
    "\0",
    "true; true",
    "import os",
    "1in [1]",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_refuses_what_is_not_of_the_language(text: str) -> None:
    with pytest.raises(CatalogError):
        parse_expression(text)


@given(st.text(alphabet=string.printable, max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expression = parse_expression(text)
    except CatalogError:
        return
    assert expression.holds({}) in (True, False)
    assert expression.names <= set(FACTS)


_NUMBER = st.sampled_from(["model_parameters", "training_rows", "-epochs", "0", "1", "2.5", "1e9"])
_ARITHMETIC = st.recursive(
    _NUMBER,
    lambda inner: st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+-*/"), inner),
    max_leaves=4,
)
_COMPARISON = st.builds(
    lambda a, op, b: f"{a} {op} {b}",
    _ARITHMETIC,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    _ARITHMETIC,
)
_ATOM = st.one_of(_COMPARISON, st.sampled_from(["few_trials", 'task in ["causal-lm"]', "true", "has_biases != null"]))
_CONDITION = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(["and", "or"]), inner),
        st.builds(lambda a: f"not ({a})", inner),
    ),
    max_leaves=5,
)
_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "model_parameters": st.none() | st.integers(0, 10**12),
        "training_rows": st.none() | st.integers(0, 10**9),
        "epochs": st.none() | st.floats(0, 100),
        "few_trials": st.none() | st.booleans(),
        "task": st.none() | st.sampled_from(["causal-lm", "text-to-text"]),
        "has_biases": st.none() | st.booleans(),
    },
)


@given(_CONDITION, _FACTS)
@settings(max_examples=300, deadline=None)
def test_agrees_with_python_where_every_fact_is_known(text: str, facts: dict[str, object]) -> None:
    if len(text) > MAX_LENGTH:
        return
    expression = parse_expression(text)
    known = all(facts.get(name) is not None for name in expression.names)
    names = {name: facts.get(name) for name in expression.names} | {
        "true": True,
        "false": False,
        "null": None,
    }
    if known:
        try:
            expected = eval(text, {"__builtins__": {}}, names)
        except (ZeroDivisionError, OverflowError):
            return
        assert expression.holds(facts) is bool(expected)


@given(_CONDITION, _FACTS)
@settings(max_examples=200, deadline=None)
def test_an_unknown_condition_fires_in_neither_direction(text: str, facts: dict[str, object]) -> None:
    if len(text) > MAX_LENGTH - 10:
        return
    assert not (parse_expression(text).holds(facts) and parse_expression(f"not ({text})").holds(facts))


def test_an_unknown_fact_makes_its_comparison_unknown() -> None:
    for text in ("training_rows < 10", "training_rows >= 10", "not training_rows < 10", "training_rows != 3"):
        assert not parse_expression(text).holds({"training_rows": None})
    assert parse_expression("training_rows < 10 or few_trials").holds({"few_trials": True})
    assert parse_expression("training_rows == null").holds({})
    assert parse_expression("training_rows != null").holds({"training_rows": 0})


def test_division_by_zero_is_unknown() -> None:
    assert not parse_expression("training_rows / batch_size < 1").holds({"training_rows": 3, "batch_size": 0})


def test_a_misspelt_fact_is_corrected() -> None:
    with pytest.raises(CatalogError) as refused:
        parse_expression("model_parameter > 1")
    assert refused.value.hint == "did you mean model_parameters?"


def test_limits_hold() -> None:
    with pytest.raises(CatalogError, match="characters"):
        parse_expression("few_trials or " * (MAX_LENGTH // 10) + "few_trials")
    with pytest.raises(CatalogError, match="nested"):
        parse_expression("not " * (MAX_DEPTH + 2) + "few_trials")


def test_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def trap(*_: object) -> None:
        raise AssertionError("called")

    real = builtins.eval, builtins.exec
    try:
        builtins.eval = builtins.exec = trap  # type: ignore[assignment]
        assert parse_expression("1 < 2").holds({})
        with pytest.raises(CatalogError):
            parse_expression("eval('1')")
    finally:
        builtins.eval, builtins.exec = real

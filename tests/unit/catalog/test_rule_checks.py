"""A broken or contradictory rule is refused with file, line and what is wrong, and a sound one is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from autopeft.catalog.load import load_catalog
from autopeft.catalog.problems import Problem
from autopeft.catalog.rule_checks import check_rule, placed
from autopeft.catalog.rule_conflicts import conflicts
from autopeft.catalog.rule_schema import RulesSchema
from autopeft.catalog.schema import problems_of
from autopeft.catalog.source_file import read_source_file
from autopeft.cli.main import cli

CATALOG = load_catalog()
METHODS = list(CATALOG.methods.values())
NAMES = {
    "methods": frozenset(CATALOG.methods),
    "tasks": frozenset(CATALOG.tasks),
    "evidence": frozenset(CATALOG.evidence),
}
RULE = """\
  - id: X-{number}
    title: a test
    when: {when}
    effects:
      - {effect}
    because: a test
    source: {{ref: none, where: here}}
    status: verified
    cases:
      - {{given: {{{fires}}}, fires: true}}
      - {{given: {{{silent}}}, fires: false}}
"""
ROWS = {"when": "training_rows < 100", "fires": "training_rows: 10", "silent": "training_rows: 1000"}
BIASES = {"when": "not has_biases", "fires": "has_biases: false", "silent": "has_biases: true"}
SMALL = {"when": "max_length < 1000", "fires": "max_length: 5", "silent": "max_length: 2000"}
LARGE = {"when": "max_length >= 1000", "fires": "max_length: 2000", "silent": "max_length: 5"}

Faults = Callable[..., list[str]]


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    def found(*rules: dict[str, str]) -> list[str]:
        path = tmp_path / "zz.yaml"
        path.write_text("rules:\n" + "".join(RULE.format(number=n, **one) for n, one in enumerate(rules, 1)))
        return [str(problem) for problem in _problems(path)]

    return found


def _problems(path: Path) -> list[Problem]:
    file = read_source_file(path, "rules/zz.yaml")
    try:
        entries = RulesSchema.model_validate(file.values).rules
    except ValidationError as error:
        return problems_of(error, file)
    rules = [placed(file, index, entry) for index, entry in enumerate(entries)]
    return [fault for rule in rules for fault in check_rule(rule, METHODS, NAMES)] + conflicts(rules, METHODS)


SOUND = [
    "{kind: prefer, methods: [lora, hybrid, 'additive & cannot:mergeable'], but: [mam], weight: 2}",
    "{kind: set, methods: [lora], knob: r, value: 16}",
    "{kind: narrow, methods: ['builder:LORA'], knob: r, high: 32}",
    "{kind: widen, methods: [lora], knob: r, high: 512}",
    "{kind: note, methods: ['*']}",
]


@pytest.mark.parametrize("effect", SOUND)
def test_a_sound_rule_is_taken(faults: Faults, effect: str) -> None:
    assert faults(ROWS | {"effect": effect}) == []


BROKEN = [
    (ROWS | {"when": "trianing_rows < 100"}, 4, "did you mean training_rows?"),
    (ROWS | {"when": "__import__('os').system('true') == 0"}, 4, "may not contain 'Call'"),
    (ROWS | {"when": "training_rows"}, 4, "is a number, not true or false"),
    (ROWS | {"when": "priority == 'sped'"}, 4, "did you mean 'speed'?"),
    (ROWS | {"when": "task == 'causal-ml' and training_rows < 100"}, 4, "did you mean causal-lm?"),
    (ROWS | {"when": "training_rows < 100 or training_rows == null"}, 4, "when nothing at all is known"),
    (ROWS | {"fires": "trainingrows: 10"}, 11, "did you mean training_rows?"),
    (ROWS | {"fires": "training_rows: many"}, 11, "training_rows is a number"),
    (ROWS | {"fires": "training_rows: 500"}, 11, "does not fire on its own case"),
    (ROWS | {"silent": "training_rows: 50"}, 12, "fires on its own case"),
    (BIASES | {"effect": "{kind: exclude, methods: [bitfit]}"}, 6, "have a ground"),
    (BIASES | {"effect": "{kind: exclude, methods: [bitfit], ground: worse}"}, 6, "infeasible"),
    (
        ROWS | {"effect": "{kind: exclude, methods: [full], ground: incompatible}"},
        4,
        "training_rows makes no method im",
    ),
    (ROWS | {"effect": "{kind: prefer, methods: [lorra]}"}, 6, "did you mean lora?"),
    (ROWS | {"effect": "{kind: prefer, methods: ['can:mergable']}"}, 6, "did you mean mergeable?"),
    (ROWS | {"effect": "{kind: prefer, methods: ['nob:r']}"}, 6, "'nob' is no property"),
    (ROWS | {"effect": "{kind: prefer, methods: ['control & knob:virtual_tokens']}"}, 6, "fits no method"),
    (ROWS | {"effect": "{kind: prefer, methods: [lora], value: 3}"}, 6, "set, and only set, has a value"),
    (ROWS | {"effect": "{kind: set, methods: [lora], knob: rank, value: 3}"}, 6, "has a knob 'rank'"),
    (ROWS | {"effect": "{kind: set, methods: [lora], knob: r, value: 100000}"}, 6, "100000 is no value for r"),
    (ROWS | {"effect": "{kind: set, methods: [lora], knob: r, value: 8.5}"}, 6, "no whole number"),
    (ROWS | {"effect": "{kind: narrow, methods: [lora], knob: r, low: 500}"}, 6, "nothing is left of the range"),
    (ROWS | {"effect": "{kind: narrow, methods: [lora], knob: r, low: 9, high: 8}"}, 6, "low must be below high"),
    (ROWS | {"effect": "{kind: narrow, methods: [lora], knob: r, high: 500}"}, 6, "does not narrow the range of r"),
    (ROWS | {"effect": "{kind: widen, methods: [lora], knob: r, high: 64}"}, 6, "does not widen the range of r"),
]


@pytest.mark.parametrize(("rule", "line", "what"), BROKEN, ids=[what for _, _, what in BROKEN])
def test_a_broken_rule_is_named_with_its_line(faults: Faults, rule: dict[str, str], line: int, what: str) -> None:
    found = faults({"effect": "{kind: note, methods: [lora]}"} | rule)
    assert any(fault.startswith(f"rules/zz.yaml:{line}: ") and what in fault for fault in found), found


def pair(kind: str, rest: str = "") -> str:
    return f"{{kind: {kind}, methods: [lora], {rest}}}"


REQUIRE, EXCLUDE = pair("require", "ground: incompatible"), pair("exclude", "ground: incompatible")
AT_8, AT_16 = pair("set", "knob: r, value: 8"), pair("set", "knob: r, value: 16")
BELOW_12, WIDER = pair("narrow", "knob: r, high: 12"), pair("widen", "knob: r, high: 300")
ABOVE_20 = pair("narrow", "knob: r, low: 20")
BY_KIND = "{kind: require, methods: ['can:mergeable'], ground: incompatible}"
ALL_MERGEABLE = "{kind: exclude, methods: ['can:mergeable'], ground: incompatible}"
CONTRADICTORY = [
    (REQUIRE, EXCLUDE, "lora is required and excluded"),
    (EXCLUDE, REQUIRE, "lora is required and excluded"),
    (BY_KIND, ALL_MERGEABLE, "everything that is required is excluded"),
    (REQUIRE, "{kind: require, methods: [ia3], ground: incompatible}", "no method is both required"),
    (AT_8, AT_16, "r starts at 8 and at 16"),
    (BELOW_12, ABOVE_20, "at least 20 and at most 12"),
    (BELOW_12, AT_16, "at least 16 and at most 12"),
    (BELOW_12, WIDER, "is widened and narrowed"),
]


@pytest.mark.parametrize(("first", "second", "what"), CONTRADICTORY)
def test_rules_that_contradict_each_other_are_refused(faults: Faults, first: str, second: str, what: str) -> None:
    (fault,) = faults(SMALL | {"effect": first}, BIASES | {"effect": second})
    assert fault.startswith("rules/zz.yaml:6: ")
    assert "contradicts X-2 (rules/zz.yaml:17)" in fault and what in fault
    assert "has_biases: False" in fault and "max_length: " in fault


@pytest.mark.parametrize(("first", "second", "what"), CONTRADICTORY)
def test_rules_that_never_meet_do_not_contradict(faults: Faults, first: str, second: str, what: str) -> None:
    assert faults(SMALL | {"effect": first}, LARGE | {"effect": second}) == []


def test_one_rule_cannot_be_for_and_against_a_method(faults: Faults) -> None:
    both = "{kind: prefer, methods: [lora]}\n      - {kind: penalise, methods: ['builder:LORA']}"
    assert any("preferred and penalised" in fault for fault in faults(ROWS | {"effect": both}))


def test_what_is_required_may_be_thinned_out(faults: Faults) -> None:
    bitfit = "{kind: exclude, methods: [bitfit], ground: incompatible}"
    assert faults(SMALL | {"effect": BY_KIND}, BIASES | {"effect": bitfit}) == []


def test_the_command_line_refuses_a_contradiction_with_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    rules = (SMALL | {"effect": REQUIRE}, BIASES | {"effect": EXCLUDE})
    text = "rules:\n" + "".join(RULE.format(number=n, **one) for n, one in enumerate(rules, 1))
    (tmp_path / "rules" / "zz.yaml").write_text(text)
    done = CliRunner().invoke(cli, ["explain", "--catalog", str(tmp_path)])
    assert done.exit_code == 4
    assert "rules/zz.yaml:6: " in done.stderr and "contradicts X-2" in done.stderr and "Traceback" not in done.stderr

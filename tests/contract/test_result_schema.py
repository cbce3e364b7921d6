"""The published schema of result.json holds for what is stored, and would notice what it must."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from autopeft.reporting.facts import SCHEMA_VERSION
from tests.contract.result_schema import SCHEMA, check_result

FULL = Path(__file__).parents[1] / "golden" / "report.result.json"


@pytest.fixture
def full() -> dict[str, Any]:
    return json.loads(FULL.read_text(encoding="utf-8"))


def test_the_stored_result_keeps_to_the_schema(full: dict[str, Any]) -> None:
    check_result(full)


def test_a_run_without_a_winner_keeps_to_the_schema(full: dict[str, Any]) -> None:
    check_result(full | {"status": "interrupted", "best": None, "confirmed": [], "importances": None})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "done"),
        (("best", "adapter_path"), None),
        (("trials", 0, "rungs", 0, "step"), "40"),
        (("confirmed", 0, "role"), "winner"),
        (("budget", "ledger", "search"), "long"),
        (("best", "colour"), "blue"),
        (("trials", 0, "sampler"), "tpe"),
    ],
)
def test_a_wrong_value_or_an_unknown_name_is_noticed(full: dict[str, Any], place: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(full)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    with pytest.raises(AssertionError):
        check_result(changed)


def test_the_schema_and_the_report_are_of_one_version() -> None:
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_every_field_says_what_it_holds() -> None:
    def mute(field: dict[str, Any], place: str) -> list[str]:
        inner = field.get("properties", {})
        own = [f"{place}.{name}" for name, one in inner.items() if not one.get("description")]
        return own + [name for key, one in inner.items() for name in mute(one, f"{place}.{key}")]

    assert mute(SCHEMA, "") + [name for d, one in SCHEMA["$defs"].items() for name in mute(one, d)] == []

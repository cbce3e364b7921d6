"""Holds a result against the published schema, and finds names that the schema does not know."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "autopeft" / "reporting" / "result.schema.json").read_text(encoding="utf-8")
)


def check_result(result: Mapping[str, Any]) -> None:
    """Every value is as the schema says, and every name is in it."""
    Draft202012Validator.check_schema(SCHEMA)
    wrong = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in Draft202012Validator(SCHEMA).iter_errors(result)]
    assert not wrong
    assert not list(unknown_names(result, SCHEMA))


def unknown_names(value: Any, field: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Places of names that the schema does not describe."""
    parts = list(branches(field))
    if isinstance(value, list):
        items = next((part["items"] for part in parts if "items" in part), None)
        for item in value if items else ():
            yield from unknown_names(item, items, f"{place}[]")
    known = {name: inner for part in parts for name, inner in part.get("properties", {}).items()}
    if isinstance(value, dict) and known:
        for name, inner in value.items():
            if name in known:
                yield from unknown_names(inner, known[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}"


def branches(field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The field and all that it refers to or combines."""
    if "$ref" in field:
        yield from branches(SCHEMA["$defs"][field["$ref"].rpartition("/")[2]])
        return
    yield field
    for part in (*field.get("anyOf", ()), *field.get("allOf", ())):
        yield from branches(part)

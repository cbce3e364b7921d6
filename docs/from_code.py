"""Generated pages that come from code: the public Python names, and the fields of result.json."""

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from page import page, table

import autopeft
from autopeft.catalog import Catalog

REPOSITORY = Path(__file__).parents[1]
SCHEMA = REPOSITORY / "autopeft" / "reporting" / "result.schema.json"
PYTHON_NOTICE = "<!-- Generated from the docstrings by docs/generate.py; run `make docs`. -->"
SCHEMA_NOTICE = f"<!-- Generated from {SCHEMA.relative_to(REPOSITORY)} by docs/generate.py; run `make docs`. -->"


def result_page(_catalog: Catalog) -> str | None:
    """docs/result-schema.md: every field of result.json, from the published JSON schema."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    fields = schema["properties"]
    parts = [
        f"# {schema['title']}",
        f"Written by `autopeft search`. {schema['description']} The same as a JSON schema, which a pipeline can check"
        " against: `autopeft/reporting/result.schema.json`, shipped in the package. Within a version names are only"
        " added.",
        _fields(fields, schema["required"], schema),
    ]
    for name, field in fields.items():
        inner = _inner(field, schema)
        if inner:
            parts += [f"## {name}", _sentence(field["description"]), _fields(*inner, schema)]
    return page(parts, SCHEMA_NOTICE)


def _inner(field: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]] | None:
    """The named fields of an object or of a list's objects, and which of them are always there; None without any."""
    if "$ref" in field:
        return _inner(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    parts = [*field.get("anyOf", ()), *field.get("allOf", ()), *([field["items"]] if "items" in field else [])]
    found = [inner for part in parts if (inner := _inner(part, schema))]
    if field.get("properties"):
        found.append((field["properties"], field.get("required", [])))
    if not found:
        return None
    return {k: v for names, _ in found for k, v in names.items()}, [name for _, names in found for name in names]


def _fields(fields: Mapping[str, Any], always: Sequence[str], schema: Mapping[str, Any]) -> str:
    rows = []
    for name, field in fields.items():
        inner = _inner(field, schema)
        holds = "" if inner is None else f": {', '.join(f'`{key}`' for key in inner[0])}"
        below = name in schema["properties"] and fields is schema["properties"]
        link = f" ([fields](#{name}))" if holds and below else holds
        said = field["description"] + ("" if name in always else "; may be absent")
        rows.append((f"`{name}`", _type(field), _sentence(said) + link))
    return table(("field", "type", "content"), rows)


def _type(field: Mapping[str, Any]) -> str:
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"])
    kind = field.get("type", "object")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."


def python_page(_catalog: Catalog) -> str | None:
    """docs/python.md: every public name with its signature and docstring, read from the source without importing it."""
    parts = [
        "# Python",
        "What `autopeft` exports. Importing it loads no torch; each name is loaded when it is first used.",
    ]
    for name, module in sorted(autopeft._HOMES.items()):
        source = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")
        tree = ast.parse(source.read_text("utf-8"))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        parts += next(_definition(node, classes) for node in tree.body if getattr(node, "name", None) == name)
    return page(parts, PYTHON_NOTICE)


def _definition(node: ast.AST, classes: Mapping[str, ast.ClassDef], owner: str = "") -> list[str]:
    """The section of a function, or of a class with its public methods, those of bases in the same file included."""
    if isinstance(node, ast.ClassDef):
        methods = _methods(node, classes)
        start = methods.pop("__init__", None)
        head = _signature(node.name, start) if start else node.name
        return [
            f"## {node.name}",
            f"```python\n{head}\n```\n\n```text\n{_told(node, classes)}\n```",
            *(part for method in methods.values() for part in _definition(method, classes, node.name)),
        ]
    assert isinstance(node, ast.FunctionDef)
    is_property = any(ast.unparse(decorator) == "property" for decorator in node.decorator_list)
    name = f"{owner}.{node.name}" if owner else node.name
    shown = f"{name} -> {ast.unparse(node.returns)}" if is_property and node.returns else _signature(name, node)
    code = f"```python\n{shown}\n```\n\n```text\n{ast.get_docstring(node)}\n```"
    return [f"{'###' if owner else '##'} {name}", code]


def _bases(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    return [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]


def _methods(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """Its `__init__` and what is public, by name; its own come before those of its bases."""
    found = {name: method for base in _bases(node, classes) for name, method in _methods(base, classes).items()}
    own = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    return found | {one.name: one for one in own if one.name == "__init__" or not one.name.startswith("_")}


def _told(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> str:
    """Its docstring, and its bases' below."""
    texts = [ast.get_docstring(one) for one in (node, *_bases(node, classes))]
    return "\n\n".join(text for text in texts if text)


def _signature(name: str, node: ast.FunctionDef) -> str:
    """A parameter a line, as one would write the call."""
    arguments = node.args
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_argument(one, default) for one, default in zip(arguments.args, defaults, strict=True)]
    shown = [one for one in shown if one != "self"]
    if arguments.kwonlyargs:
        shown.append("*")
    shown += [_argument(one, d) for one, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        shown.append(f"**{_argument(arguments.kwarg, None)}")
    end = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    lines = "".join(f"    {one},\n" for one in shown)
    return f"{name}(\n{lines}){end}" if shown else f"{name}(){end}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    value = "" if default is None else f" = {ast.unparse(default)}"
    return f"{argument.arg}{kind}{value}"

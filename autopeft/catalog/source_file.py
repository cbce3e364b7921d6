"""Safe YAML with the line of every field: plain data only, no code, no duplicate keys, bounded size."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from autopeft.catalog.problems import BrokenFileError, Problem

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 20
# Aliases can blow a small file up exponentially; eight allow a factor of about 20 and no more.
MAX_ALIASES = 8

FieldPath = tuple[str | int, ...]

if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:  # libyaml's parser where PyYAML was built with it: ten times faster
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SCALARS = (
    ("null", r"~|null|", ("~", "n", "")),
    ("bool", r"true|false", ("t", "f")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)", tuple("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", tuple("-+.0123456789")),
)
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map"))


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """First character of a scalar -> (tag, pattern) pairs, as yaml's loaders want them."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern, first_characters in _SCALARS:
        for character in first_characters:
            entry = (f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})$"))
            table.setdefault(character, []).append(entry)
    return table


class _PlainLoader(_Loader):
    """Loads safe YAML with the scalars of version 1.2: `5e-4` is a number; `on`, `no` and dates are text."""

    yaml_implicit_resolvers = _resolvers()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A YAML file's values, and where each of them stands.

    Attributes:
        shown: the file's name for people.
        values: plain dicts, lists and scalars.
        lines: path of a field -> its line, counted from 1.
    """

    shown: str
    values: Any
    lines: dict[FieldPath, int]

    def line(self, path: FieldPath) -> int:
        """The line of the field at `path`, or of the nearest field around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: FieldPath, what: str) -> Problem:
        """A problem with the field at `path`."""
        return Problem(self.shown, self.line(path), ".".join(map(str, path)), what)


def read_source_file(path: Path, shown: str) -> SourceFile:
    """Read one YAML file.

    Args:
        path: of the file.
        shown: its name in messages.

    Raises:
        BrokenFileError: not readable, too large, too deep, too many aliases, a duplicate key, or no YAML.
    """
    text = _read_text(path, shown)
    try:
        _check_shape(text, shown)
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        lines: dict[FieldPath, int] = {}
        values = _Reader(loader, shown, lines).value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(shown, mark, error.problem or "no valid YAML") from None
    except yaml.YAMLError as error:
        raise _broken(shown, None, f"no valid YAML: {' '.join(str(error).split())}") from None
    return SourceFile(shown, values, lines)


def _read_text(path: Path, shown: str) -> str:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise BrokenFileError(Problem(shown, 1, "", f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BrokenFileError(Problem(shown, line, "", "is not UTF-8 text")) from None
    if len(raw) > MAX_FILE_BYTES:
        raise BrokenFileError(Problem(shown, 1, "", f"is larger than {MAX_FILE_BYTES:,} bytes"))
    return text


def _check_shape(text: str, shown: str) -> None:
    """Refuse deep nesting and many aliases before any tree is built."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH:
            raise _broken(shown, event.start_mark, f"is nested deeper than {MAX_DEPTH} levels")
        if aliases > MAX_ALIASES:
            raise _broken(shown, event.start_mark, f"uses more than {MAX_ALIASES} aliases")


def _broken(shown: str, mark: Any, what: str) -> BrokenFileError:
    return BrokenFileError(Problem(shown, mark.line + 1 if mark else 1, "", what))


class _Reader:
    """Turns yaml's nodes into plain values and notes the line of each."""

    def __init__(self, loader: Any, shown: str, lines: dict[FieldPath, int]) -> None:
        self._loader = loader
        self._shown = shown
        self._lines = lines

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        """The plain value of `node`, which stands at `path`."""
        self._lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > MAX_DEPTH:
            raise _broken(self._shown, node.start_mark, f"is nested deeper than {MAX_DEPTH} levels")
        if node.tag not in _PLAIN_TAGS:
            raise _broken(self._shown, node.start_mark, f"the tag {node.tag} is not allowed")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except ValueError:  # an explicit tag that the text does not fit, or a number of thousands of digits
            raise _broken(self._shown, node.start_mark, "is not a value of its type") from None

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise _broken(self._shown, key_node.start_mark, "a key must be plain text")
            if key in plain:
                raise _broken(self._shown, key_node.start_mark, f"the key {key!r} stands twice")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            plain[key] = self.value(value_node, (*path, key))
        return plain

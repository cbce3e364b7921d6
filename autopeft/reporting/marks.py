"""Markdown pieces in which text from data stays text: no HTML, no links, no broken tables, no open fences."""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"[\\`*\[\]<>&|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_BLOCK = re.compile(r"^(\s*)([#+=-]|\d+[.)](?=\s|$))")


def inline(text: str) -> str:
    """`text` on one line, nothing of it read as markup."""
    flat = " ".join(text.split())
    escaped = _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), "\\" + match.group()), flat)
    return _BLOCK.sub(lambda match: match.group(1) + _quiet(match.group(2)), escaped)


def bullets(sentences: Iterable[str]) -> str:
    """A list of escaped sentences."""
    return "\n".join(f"- {inline(sentence)}" for sentence in sentences)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table of escaped cells; `right` are the columns to align on the right."""
    aligned = set(right)
    rule = ["---:" if column in aligned else "---" for column in range(len(header))]
    lines = [[inline(name) for name in header], rule, *([inline(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fence(code: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks within."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{code}\n{ticks}"


def span(code: str) -> str:
    """An inline code span; one that cannot hold the text is escaped text instead."""
    flat = " ".join(code.split())
    return inline(flat) if "`" in flat or "|" in flat or not flat else f"`{flat}`"


def section(title: str, *parts: str) -> str:
    """A heading and the parts under it that are not empty."""
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])


def named(label: str, detail: str) -> str:
    """A label with its detail in brackets, where there is one; not escaped."""
    return f"{label} ({detail})" if detail else label


def _quiet(start: str) -> str:
    """A line's start that would open a heading or a list."""
    return f"{start[:-1]}\\{start[-1]}" if start[0].isdigit() else f"\\{start}"

"""The form of a generated page."""

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Generated from search_spaces/ by docs/generate.py; edit the YAML, then run `make docs`. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in cells stay text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def page(parts: Iterable[str], notice: str = NOTICE) -> str:
    """The whole page under its notice."""
    return "\n\n".join([notice, *parts]) + "\n"

"""Faults found in the catalogue's files, gathered so that all of them are shown at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from autopeft.errors import CatalogError


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One fault.

    Attributes:
        file: as shown to people.
        line: counted from 1.
        field: dotted path of the field, empty for the whole file.
        what: what is wrong, without file and field.
    """

    file: str
    line: int
    field: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: "
        return place + (f"{self.field}: {self.what}" if self.field else self.what)


class BrokenFileError(Exception):
    """A file that could not be read as YAML at all; carries the one problem that stopped it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise one error with a line for each problem; do nothing when there are none.

    Raises:
        CatalogError: there is at least one problem.
    """
    if not problems:
        return
    lines = [str(problem) for problem in sorted(set(problems))]
    what = "this line" if len(lines) == 1 else "these lines"
    raise CatalogError("\n".join(lines), hint=f"mend {what} of the catalogue")

"""What every file of the catalogue has in common: strict models, sources, and errors as problems."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autopeft.catalog.problems import Problem
from autopeft.catalog.source_file import FieldPath, SourceFile
from autopeft.domain.methods import Source


class Strict(BaseModel):
    """A mapping in a YAML file: no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SourceSchema(Strict):
    """A `source`, or an entry of `sources`."""

    ref: str = Field(min_length=1)
    where: str = ""
    says: str = ""

    def to_domain(self) -> Source:
        """The domain object."""
        return Source(self.ref, self.where, self.says)


def sources_of(entries: list[SourceSchema]) -> tuple[Source, ...]:
    """The domain objects of a `sources` list."""
    return tuple(entry.to_domain() for entry in entries)


def problems_of(error: ValidationError, file: SourceFile) -> list[Problem]:
    """Pydantic's findings with the file's lines, one for each field.

    Args:
        error: what validation of the whole file raised.
        file: where the values were read from.
    """
    by_path: dict[FieldPath, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False, include_context=False):
        path = _path(file, details["loc"], is_missing=details["type"] == "missing")
        by_path.setdefault(path, []).append(_words(details["type"], details["msg"]))
    return [file.problem(path, " or ".join(dict.fromkeys(words))) for path, words in by_path.items()]


def _path(file: SourceFile, location: FieldPath, *, is_missing: bool) -> FieldPath:
    """`location` without the names of union members, which stand in no file."""
    path: FieldPath = ()
    for part in location[:-1] if is_missing else location:
        if (*path, part) in file.lines:
            path = (*path, part)
    return (*path, location[-1]) if is_missing else path


def _words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").replace("Input should be", "should be")

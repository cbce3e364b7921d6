"""The table of findings that the rules start from, read only where somebody asks about one."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.problems import BrokenFileError, raise_problems
from autopeft.catalog.schema import Strict, problems_of
from autopeft.catalog.source_file import SourceFile, read_source_file
from autopeft.domain.findings import Finding

FOLDER = Path("evidence") / "findings"
Schema = TypeVar("Schema", bound=Strict)


class FindingSchema(Strict):
    """An entry of `findings`."""

    id: str = Field(pattern=r"^[PCRE][0-9]{2}$")
    condition: str = Field(min_length=1)
    effect: str = Field(min_length=1)
    source: str = Field(min_length=1)
    section: str = Field(min_length=1)
    status: Literal["VERIFIED", "RECALLED", "DERIVED"]
    evidence: str = ""
    confidence: float | None = Field(default=None, gt=0, lt=1)
    direction: str = ""
    methods: list[str] = Field(default_factory=list)
    note: str = ""


class FindingsSchema(Strict):
    """The table: short names of sources, and the findings."""

    sources: dict[str, str]
    findings: list[FindingSchema] = Field(min_length=1)


class LeftOutSchema(Strict):
    """The findings that nothing carries out, each with the reason."""

    left_out: dict[str, str]


@cache
def load_findings(root: Path | None = None) -> Mapping[str, Finding]:
    """Id -> finding.

    Args:
        root: the folder `search_spaces`; by default the one that belongs to the package.

    Raises:
        CatalogError: a file is broken, or leaves out what is no finding.
    """
    root = search_spaces_root() if root is None else root
    _, table = _read(root, "survey.yaml", FindingsSchema)
    file, reasons = _read(root, "left-out.yaml", LeftOutSchema)
    known = {entry.id for entry in table.findings}
    raise_problems([file.problem(("left_out", one), "is no finding") for one in reasons.left_out if one not in known])
    return MappingProxyType(
        {entry.id: _finding(entry, table.sources, reasons.left_out.get(entry.id, "")) for entry in table.findings}
    )


def _finding(entry: FindingSchema, sources: Mapping[str, str], left_out: str) -> Finding:
    return Finding(
        id=entry.id,
        condition=entry.condition,
        effect=entry.effect,
        source="; ".join(sources.get(name, name) for name in entry.source.split(",")),
        section=entry.section,
        status=entry.status,
        seen_in=entry.evidence,
        confidence=entry.confidence,
        note=entry.note,
        left_out=left_out.strip(),
    )


def _read(root: Path, name: str, schema: type[Schema]) -> tuple[SourceFile, Schema]:
    try:
        file = read_source_file(root / FOLDER / name, f"{root.name}/{FOLDER.as_posix()}/{name}")
        return file, schema.model_validate(file.values)
    except BrokenFileError as error:
        raise_problems([error.problem])
        raise
    except ValidationError as error:
        raise_problems(problems_of(error, file))
        raise

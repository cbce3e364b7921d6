"""The form of `search_spaces/evidence/<id>.yaml`."""

from pydantic import Field

from autopeft.catalog.schema import SourceSchema, Strict
from autopeft.domain.evidence import Evidence
from autopeft.domain.knobs import Value


class EvidenceSchema(Strict):
    """A file of published measurements."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = Field(min_length=1)
    source: SourceSchema
    rows: list[dict[str, Value | None]] = Field(min_length=1)

    def to_domain(self) -> Evidence:
        """The domain object."""
        return Evidence(self.id, self.title, self.source.to_domain(), tuple(self.rows))

"""The form of `search_spaces/architectures/<id>.yaml` and `search_spaces/models/<family>.yaml`."""

import re
from typing import Any

from pydantic import Field, field_validator

from autopeft.catalog.schema import SourceSchema, Strict, sources_of
from autopeft.catalog.vocabulary import ROLES
from autopeft.domain.models import ArchitectureSpec, Kind, ModelSpec

_ENDING = re.compile(r"(?:\w+|\*)(?:\.(?:\w+|\*))*")


class ArchitectureSchema(Strict):
    """An architecture file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    model_types: list[str] = Field(min_length=1)
    kind: Kind
    has_biases: bool
    roles: dict[str, list[str]]
    sources: list[SourceSchema] = Field(min_length=1)

    @field_validator("roles")
    @classmethod
    def _roles_are_well_formed(cls, roles: dict[str, list[str]]) -> dict[str, list[str]]:
        for role, endings in roles.items():
            if role not in ROLES:
                raise ValueError(f"{role!r} is no role; known are {', '.join(ROLES)}")
            for ending in endings:
                if not _ENDING.fullmatch(ending):
                    raise ValueError(f"{role}: {ending!r} is no dotted name (`*`: a layer number)")
        return roles

    def to_domain(self) -> ArchitectureSpec:
        """The domain object; roles that the file leaves out are empty."""
        return ArchitectureSpec(
            id=self.id,
            model_types=tuple(self.model_types),
            kind=self.kind,
            roles={role: tuple(self.roles.get(role, ())) for role in ROLES},
            has_biases=self.has_biases,
            sources=sources_of(self.sources),
        )


class ModelEntry(Strict):
    """One base model: the config fields that decide its shapes, and the parameter count they must give."""

    parameters: int = Field(gt=0)
    counted_as: str = Field(min_length=1)
    config: dict[str, Any]

    @field_validator("config")
    @classmethod
    def _config_is_plain(cls, config: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(config.get("model_type"), str):
            raise ValueError("model_type is missing")
        if "auto_map" in config:
            raise ValueError("auto_map names code to run")
        return config


class ModelsSchema(Strict):
    """A file of base models: hub id -> entry."""

    source: str = Field(min_length=1)
    models: dict[str, ModelEntry] = Field(min_length=1)

    def to_domain(self) -> dict[str, tuple[ModelSpec, int]]:
        """Hub id -> the domain object and the parameter count."""
        return {
            name: (ModelSpec(name, entry.config, source=self.source), entry.parameters)
            for name, entry in self.models.items()
        }

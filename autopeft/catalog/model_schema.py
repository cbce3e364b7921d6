"""The form of `search_spaces/architectures/<id>.yaml` and `search_spaces/models/<family>.yaml`."""

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

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
    has_linear_layers: bool = True
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
            has_linear_layers=self.has_linear_layers,
        )


class ModelEntry(Strict):
    """One base model: the config fields that decide its shapes, and the parameter count they must give.

    Attributes:
        parameters: as published; a contract test compares it with the model that the config builds.
        counted_as: the transformers class whose parameters those are; empty takes the file's.
        config: fields of config.json beside those that the file's models share.
        same_config: hub ids whose config differs in nothing that decides a shape (chat and instruction tuned forms).
        suggested: whether it is among the models that are proposed to a user who names none.
    """

    parameters: int = Field(gt=0)
    counted_as: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    same_config: list[str] = Field(default_factory=list)
    suggested: bool = False

    @field_validator("config")
    @classmethod
    def _config_is_plain(cls, config: dict[str, Any]) -> dict[str, Any]:
        return _plain(config)


class ModelsSchema(Strict):
    """A file of base models: hub id -> entry, and what they have in common."""

    source: str = Field(min_length=1)
    counted_as: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, ModelEntry] = Field(min_length=1)

    @field_validator("config")
    @classmethod
    def _config_is_plain(cls, config: dict[str, Any]) -> dict[str, Any]:
        return _plain(config)

    @model_validator(mode="after")
    def _entries_are_complete(self) -> "ModelsSchema":
        for name, entry in self.models.items():
            if not isinstance((self.config | entry.config).get("model_type"), str):
                raise ValueError(f"{name}: model_type is missing")
            if not (entry.counted_as or self.counted_as):
                raise ValueError(f"{name}: counted_as is missing")
        return self

    def names(self) -> list[tuple[str, str]]:
        """Every hub id of the file, and the entry that describes it."""
        return [(name, entry) for entry, one in self.models.items() for name in (entry, *one.same_config)]

    def suggested(self) -> list[str]:
        """The hub ids that are proposed to a user who names no model."""
        return [name for name, entry in self.models.items() if entry.suggested]

    def class_of(self, name: str) -> str:
        """The transformers class that the parameters of an entry are counted in."""
        return self.models[name].counted_as or self.counted_as

    def to_domain(self) -> dict[str, tuple[ModelSpec, int]]:
        """Hub id -> the domain object and the parameter count."""
        return {
            name: (
                ModelSpec(name, self.config | self.models[entry].config, source=self.source),
                self.models[entry].parameters,
            )
            for name, entry in self.names()
        }


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    if "auto_map" in config:
        raise ValueError("auto_map names code to run")
    return config

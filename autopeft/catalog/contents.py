"""The loaded catalogue, and finding an entry of it by the name that a user wrote."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from autopeft.domain.evidence import Evidence
from autopeft.domain.hardware import HardwareSpec
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.rules import Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import UsageError

Entry = TypeVar("Entry")
_NONE: Mapping[str, str] = MappingProxyType({})
_VENDOR_WORDS = ("nvidia", "geforce", "tesla")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that `search_spaces/` describes; each mapping goes from id to domain object.

    Attributes:
        methods: fine-tuning methods, in the order in which they are shown.
        tasks: tasks.
        rules: recommendation rules.
        architectures: module names of families of models.
        models: hub id -> base model with its config.
        model_parameters: hub id -> parameter count of that base model.
        evidence: published measurements.
        aliases: other names of methods, tasks and devices -> their ids.
        suggested_models: hub ids of the base models that are proposed to a user who names none.
        gpus: devices that training runs on, the generic CPU among them.
    """

    methods: Mapping[str, MethodSpec]
    tasks: Mapping[str, TaskSpec]
    rules: Mapping[str, Rule]
    architectures: Mapping[str, ArchitectureSpec]
    models: Mapping[str, ModelSpec]
    model_parameters: Mapping[str, int]
    evidence: Mapping[str, Evidence]
    aliases: Mapping[str, str] = field(default_factory=lambda: _NONE)
    suggested_models: tuple[str, ...] = ()
    gpus: Mapping[str, HardwareSpec] = field(default_factory=lambda: MappingProxyType({}))

    def method(self, name: str) -> MethodSpec:
        """The method of that id or alias, upper or lower case.

        Raises:
            UsageError: there is none; the hint names what comes nearest.
        """
        return self._find("method", self.methods, name)

    def task(self, name: str) -> TaskSpec:
        """The task of that id or alias, upper or lower case.

        Raises:
            UsageError: there is none; the hint names what comes nearest.
        """
        return self._find("task", self.tasks, name)

    def rule(self, name: str) -> Rule:
        """The rule of that id, upper or lower case.

        Raises:
            UsageError: there is none; the hint names what comes nearest.
        """
        return self._find("rule", self.rules, name)

    def gpu(self, name: str) -> HardwareSpec:
        """The device of that id or alias, with or without its vendor: `L40S`, `NVIDIA L40S`, `rtx4090`.

        Raises:
            UsageError: there is none; the hint names what comes nearest.
        """
        words = [word for word in name.lower().replace("-", " ").split() if word not in _VENDOR_WORDS]
        return self._find("device in the table", self.gpus, "-".join(words) or name)

    def _find(self, kind: str, entries: Mapping[str, Entry], name: str) -> Entry:
        by_name = {key.lower(): key for key in entries}
        by_name |= {alias.lower(): key for alias, key in self.aliases.items() if key in entries}
        wanted = name.strip().lower().replace("_", "-")
        if wanted in by_name:
            return entries[by_name[wanted]]
        close = difflib.get_close_matches(wanted, by_name, n=3)
        near = list(dict.fromkeys(by_name[key] for key in close))
        known = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(entries) or 'none'}"
        raise UsageError(f"there is no {kind} {name!r}", hint=known)

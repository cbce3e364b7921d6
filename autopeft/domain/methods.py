"""A fine-tuning method as the catalogue describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from autopeft.domain.knobs import Hyperparameters, Knob, Value
from autopeft.errors import UsageError

UpdateRule = Literal["adamw", "lora-plus", "lora-fa", "galore"]
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from.

    Attributes:
        ref: paper id (`arXiv:2106.09685`), library or file.
        where: section, table or function in it.
        says: the claim in our words.
    """

    ref: str
    where: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether a method can do something: True, False or None for unknown, and how that is known."""

    value: bool | None
    provenance: str


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method of the catalogue (`search_spaces/methods/<id>.yaml`).

    Attributes:
        id: short name in commands, such as `lora`.
        title: for people, such as `LoRA (attention)`.
        family: the survey's class: additive, selective, reparametrization, hybrid, or control.
        builder: a `PeftType` name, one of our tuners, or `FULL`.
        knobs: hyperparameters, in the order in which they are searched and shown.
        settings: fixed fields of the peft configuration.
        targets: field of the peft configuration -> module roles of the architecture it names.
        capabilities: by name: mergeable, gradient_checkpointing, quantized_base, zero_inference_overhead, ...
        role: `candidate` is searched by default, `control` only by name or as a baseline.
        tasks: task ids it supports; empty means all.
        architectures: kinds (encoder, decoder, encoder-decoder) it supports; empty means all.
        requires: facts about the architecture that must hold, such as `has_biases`.
        summary: one sentence for people.
        sources: papers and files.
        as_recorded: file of a recorded peft configuration, whose fields are then `settings`, taken as they are;
            empty for a method of the catalogue.
        by_name_only: why the method is used only when it is named (slow, fragile); empty: it is used by default.
        update: how its parameters are updated, where that is part of the method.
    """

    id: str
    title: str
    family: Literal["additive", "selective", "reparametrization", "hybrid", "control"]
    builder: str
    knobs: tuple[Knob, ...]
    summary: str
    sources: tuple[Source, ...]
    settings: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _EMPTY)
    capabilities: Mapping[str, Capability] = field(default_factory=lambda: _EMPTY)
    role: Literal["candidate", "control"] = "candidate"
    tasks: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    by_name_only: str = ""
    as_recorded: str = ""
    update: UpdateRule = "adamw"

    def start(self, base_parameters: int) -> dict[str, Value]:
        """The starting hyperparameters for a base model of `base_parameters` parameters."""
        return {knob.name: knob.start(base_parameters) for knob in self.knobs}

    def complete(self, given: Hyperparameters, base_parameters: int) -> dict[str, Value]:
        """`given`, checked, with starting values for what it leaves out.

        Raises:
            UsageError: an unknown knob or a value out of its range.
        """
        knobs = {knob.name: knob for knob in self.knobs}
        unknown = sorted(set(given) - set(knobs))
        if unknown:
            raise UsageError(f"{self.id} has no knob {unknown[0]!r}", hint=f"it has {', '.join(knobs) or 'none'}")
        return self.start(base_parameters) | {name: knobs[name].check(value) for name, value in given.items()}

    def can(self, capability: str) -> bool | None:
        """Whether the method has `capability`; None when nobody has checked."""
        found = self.capabilities.get(capability)
        return None if found is None else found.value

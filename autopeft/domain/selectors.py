"""Which methods a rule speaks of, by what they are rather than by a list of names.

    *                                  every method
    lora                               the method of that id
    hybrid                             a family
    can:mergeable, cannot:mergeable    a capability, known to be there or known to be missing
    knob:virtual_tokens                has that hyperparameter
    builder:LORA                       built by that peft type or tuner: LoRA and its variants
    requires:has_biases                needs that of the architecture
    additive & cannot:mergeable        all of these at once

A method whose capability nobody has checked fits neither `can:` nor `cannot:`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from autopeft.domain.methods import MethodSpec
from autopeft.domain.rules import Effect

EVERY: Final = "*"
PROPERTIES: Final = ("can", "cannot", "knob", "builder", "requires")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a selector: `kind` is a property, or empty for an id, a family or `*`."""

    kind: str
    name: str

    def fits(self, method: MethodSpec) -> bool:
        """Whether the method is such."""
        match self.kind:
            case "can":
                return method.can(self.name) is True
            case "cannot":
                return method.can(self.name) is False
            case "knob":
                return any(knob.name == self.name for knob in method.knobs)
            case "builder":
                return method.builder == self.name
            case "requires":
                return self.name in method.requires
        return self.name in (EVERY, method.id, method.family)


def selects(selectors: Iterable[str], method: MethodSpec) -> bool:
    """Whether one of the selectors fits the method."""
    return any(all(term.fits(method) for term in read_selector(text)) for text in selectors)


def means(effect: Effect, method: MethodSpec) -> bool:
    """Whether `effect` speaks of `method`."""
    return selects(effect.methods, method) and not selects(effect.but, method)


@cache
def read_selector(text: str) -> tuple[Term, ...]:
    """The parts of a selector, all of which a method must fit."""
    return tuple(_term(part.strip()) for part in text.split("&"))


def _term(text: str) -> Term:
    kind, colon, name = text.partition(":")
    return Term(kind.strip(), name.strip()) if colon else Term("", text)

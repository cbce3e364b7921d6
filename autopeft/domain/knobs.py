"""Hyperparameters: one knob, its range, and what a value of it must obey."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autopeft.errors import UsageError

Value = bool | int | float | str
Hyperparameters = Mapping[str, Value]
# Training settings that leave memory as it is.
RATES = frozenset({"learning_rate", "weight_decay", "rate_ratio"})


@dataclass(frozen=True, slots=True)
class Knob:
    """One hyperparameter of a method.

    Attributes:
        name: as a user writes it in `--set name=value`; the field's standard term.
        kind: how it is searched.
        default: the starting value.
        low: least value (float and int).
        high: greatest value (float and int).
        log: whether the range is searched on a logarithmic scale.
        choices: the values of a categorical knob.
        argument: the field of the peft configuration that it sets, or None for a training setting
            (`learning_rate`, `weight_decay`).
        size_defaults: (parameters, value) pairs, ascending: the starting value for base models of at
            most that many parameters; above the last one `default` holds.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    default: Value
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    argument: str | None = None
    size_defaults: tuple[tuple[int, Value], ...] = ()

    def start(self, base_parameters: int) -> Value:
        """The starting value for a base model of `base_parameters` parameters."""
        for limit, value in self.size_defaults:
            if base_parameters <= limit:
                return value
        return self.default

    def parse(self, text: str) -> Value:
        """The value that a user wrote, checked.

        Raises:
            UsageError: not a value of this knob.
        """
        if self.kind == "categorical":
            for choice in self.choices:
                if text.strip().lower() == str(choice).lower():
                    return choice
            raise self._refusal(text)
        try:
            value = int(text) if self.kind == "int" else float(text)
        except ValueError:
            raise self._refusal(text) from None
        return self.check(value)

    def check(self, value: Value) -> Value:
        """`value`, if it lies within the range.

        Raises:
            UsageError: it does not.
        """
        if self.kind == "categorical":
            if value not in self.choices:
                raise self._refusal(value)
        elif isinstance(value, bool | str) or not (self.low or 0) <= value <= (self.high or 0):
            raise self._refusal(value)
        return value

    def _refusal(self, value: object) -> UsageError:
        if self.kind == "categorical":
            allowed = "one of " + ", ".join(map(str, self.choices))
        else:
            allowed = f"{'a whole number ' if self.kind == 'int' else ''}from {self.low:g} to {self.high:g}"
        return UsageError(f"{value!r} is no value for {self.name}", hint=f"{self.name} takes {allowed}")

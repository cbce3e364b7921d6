"""The space of methods and knobs: configurations drawn from it, and as coordinates between 0 and 1."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autopeft.domain.knobs import Knob, Value
from autopeft.domain.methods import MethodSpec
from autopeft.search.curve_model import Points

# Of a knob's range: how far a nearby value lies from the one that it is drawn around.
NEARBY_SPREAD = 0.15
# How often a nearby value of a categorical knob is drawn anew.
REDRAWN_SHARE = 0.2
# The coordinate of a categorical knob's value in its own dimension: two values lie 0.7 of a range from each other.
VERTEX = 0.5
RATE = "learning_rate"
Configuration = tuple[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Space:
    """Methods with their knobs.

    Attributes:
        methods: by id, in a fixed order.
    """

    methods: Mapping[str, MethodSpec]

    def uniform(self, generator: np.random.Generator) -> Configuration:
        """A configuration from anywhere."""
        method = list(self.methods)[int(generator.integers(len(self.methods)))]
        return method, {knob.name: drawn(knob, generator) for knob in self.methods[method].knobs}

    def nearby(self, known: Configuration, generator: np.random.Generator) -> Configuration:
        """A configuration of the same method that differs little."""
        method, values = known
        return method, {knob.name: _near(knob, values[knob.name], generator) for knob in self.methods[method].knobs}

    def points(self, configurations: Sequence[Configuration], steps: Sequence[int], trials: Sequence[int]) -> Points:
        """As the model of their curves sees them."""
        numbers = {name: number for number, name in enumerate(self.methods)}
        width = max(sum(map(_width, self._others(name))) for name in self.methods)
        others = np.zeros((len(configurations), width))
        for row, (method, values) in enumerate(configurations):
            places = [place for knob in self._others(method) for place in _coordinates(knob, values[knob.name])]
            others[row, : len(places)] = places
        return Points(
            np.array([numbers[method] for method, _ in configurations]),
            np.array([self._rate(method, values) for method, values in configurations]),
            others,
            np.log(np.asarray(steps, dtype=float)),
            np.asarray(trials),
        )

    def _rate(self, method: str, values: Mapping[str, Value]) -> float:
        knob = next((knob for knob in self.methods[method].knobs if knob.name == RATE), None)
        return 0.5 if knob is None else share_of_range(knob, float(values[RATE]))

    def _others(self, method: str) -> list[Knob]:
        return [knob for knob in self.methods[method].knobs if knob.name != RATE]


def share_of_range(knob: Knob, value: float) -> float:
    """Where in the range of a numeric knob a value lies, on the scale that it is searched on; 0 to 1."""
    low, high = _ends(knob)
    if high == low:
        return 0.0
    return min(1.0, max(0.0, ((math.log(value) if knob.log else value) - low) / (high - low)))


def value_at(knob: Knob, share: float) -> Value:
    """The value of a numeric knob at a share of its range."""
    low, high = _ends(knob)
    least, greatest = float(knob.low or 0), float(knob.high or 0)
    value = low + share * (high - low)
    value = min(greatest, max(least, math.exp(value) if knob.log else value))
    return round(value) if knob.kind == "int" else value


def drawn(knob: Knob, generator: np.random.Generator) -> Value:
    """Any value, evenly on the scale that it is searched on."""
    if knob.kind == "categorical":
        return knob.choices[int(generator.integers(len(knob.choices)))]
    return value_at(knob, float(generator.random()))


def _near(knob: Knob, value: Value, generator: np.random.Generator) -> Value:
    if knob.kind == "categorical":
        return drawn(knob, generator) if generator.random() < REDRAWN_SHARE else value
    share = share_of_range(knob, float(value)) + NEARBY_SPREAD * float(generator.standard_normal())
    return value_at(knob, min(1.0, max(0.0, share)))


def _ends(knob: Knob) -> tuple[float, float]:
    scale = math.log if knob.log else float
    return scale(knob.low or 0), scale(knob.high or 0)


def _width(knob: Knob) -> int:
    return len(knob.choices) if knob.kind == "categorical" else 1


def _coordinates(knob: Knob, value: Value) -> list[float]:
    if knob.kind != "categorical":
        return [share_of_range(knob, float(value))]
    return [VERTEX * (choice == value and type(choice) is type(value)) for choice in knob.choices]

"""What counts how much: quality, memory, speed and size, as a preset or as weights."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from autopeft.errors import UsageError

Priority = Literal["quality", "memory", "speed", "size"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Points of the score.

    Attributes:
        quality: times the points of rules and evidence.
        memory: lost with each doubling of reserved memory.
        speed: lost with each doubling of a step's time, or of its operations where no device is named.
        size: lost with each doubling of the adapter.
    """

    quality: float = 1.0
    memory: float = 0.0
    speed: float = 0.0
    size: float = 0.0


# Conventions. Quality never leaves the sum: the leanest method that learns nothing is no answer.
PRESETS: Final[Mapping[Priority | None, Weights]] = {
    None: Weights(1.0, 0.5, 1.0, 0.0),
    "quality": Weights(1.0, 0.25, 0.5, 0.0),
    "memory": Weights(1.0, 2.0, 0.5, 0.0),
    "speed": Weights(1.0, 0.25, 2.0, 0.0),
    "size": Weights(1.0, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True, slots=True)
class Objective:
    """What the asker wants most, and the weights that follow.

    Attributes:
        weights: of the score.
        priority: what weighs most, for rules that ask; None for a balance.
    """

    weights: Weights = PRESETS[None]
    priority: Priority | None = None


def read_objective(text: str | Mapping[str, float] | None) -> Objective:
    """The objective that a user wrote: one name, or weights like `quality=2,memory=1`.

    What weights leave out does not count.

    Raises:
        UsageError: an unknown name, a weight that is no number from 0, or no weight above 0.
    """
    if text is None:
        return Objective()
    if isinstance(text, Mapping):
        return _weighted({_axis(name): float(weight) for name, weight in text.items()})
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and "=" not in parts[0]:
        name = _axis(parts[0])
        return Objective(PRESETS[name], name)
    return _weighted(dict(map(_pair, parts)))


def _weighted(given: Mapping[Priority, float]) -> Objective:
    if any(not 0 <= weight <= 1000 for weight in given.values()) or not any(given.values()):
        raise UsageError("an objective needs a weight above 0", hint="write it like quality=2,memory=1, up to 1000")
    most = max(given, key=lambda name: given[name])
    none = Weights(quality=0.0)
    return Objective(replace(none, **{str(name): weight for name, weight in given.items()}), most)


def _pair(part: str) -> tuple[Priority, float]:
    name, _, weight = part.partition("=")
    try:
        return _axis(name), float(weight)
    except ValueError:
        raise UsageError(f"{part!r} is no weight", hint="write it like quality=2,memory=1") from None


def _axis(name: str) -> Priority:
    known: tuple[Priority, ...] = get_args(Priority)
    for axis in known:
        if name.strip().lower() == axis:
            return axis
    close = difflib.get_close_matches(name.strip().lower(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"choose among {', '.join(known)}, or weights of them"
    raise UsageError(f"there is no objective {name.strip()!r}", hint=hint)

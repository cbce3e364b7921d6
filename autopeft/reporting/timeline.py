"""The facts of when each piece of the search ran, and on which worker."""

from dataclasses import dataclass

from autopeft.reporting.reading import Record, number, records, text, whole


@dataclass(frozen=True, slots=True)
class Piece:
    """One slice of one run.

    Attributes:
        trial: number; None for a control.
        label: for people.
        stage: `search`, `confirm` or `controls`.
        started_seconds: after the run began, pauses between sessions not counted.
        seconds: that it took.
    """

    trial: int | None
    label: str
    stage: str
    started_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Lane:
    """What one worker did, in order; `busy_seconds` is the sum of its pieces."""

    worker: str
    pieces: tuple[Piece, ...]

    @property
    def busy_seconds(self) -> float:
        """Time inside slices."""
        return sum(piece.seconds for piece in self.pieces)


def read_timeline(result: Record) -> tuple[Lane, ...]:
    """A lane for each worker, by name."""
    lanes: dict[str, list[Piece]] = {}
    for entry in records(result, "timeline"):
        started, seconds = number(entry, "started_seconds"), number(entry, "seconds")
        if started is not None and seconds is not None:
            lanes.setdefault(text(entry, "worker") or "worker", []).append(_piece(entry, started, seconds))
    ordered = sorted(lanes.items())
    return tuple(Lane(name, tuple(sorted(pieces, key=lambda p: p.started_seconds))) for name, pieces in ordered)


def _piece(entry: Record, started: float, seconds: float) -> Piece:
    name, step = text(entry, "name") or "unnamed", whole(entry, "to_step")
    label = name if step is None else f"{name} to step {step}"
    return Piece(whole(entry, "trial"), label, text(entry, "stage") or "search", started, seconds)

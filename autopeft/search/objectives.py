"""What trials are compared by: one loss, or several objectives by non-dominated rank. Less is better in each."""

from collections.abc import Callable, Mapping, Sequence

from autopeft.domain.trials import SliceResult, TrialRecord

Values = tuple[float, ...]
UNKNOWN = float("inf")


def slice_at(trial: TrialRecord, step: int) -> SliceResult | None:
    """The slice of `trial` that ended at `step`, or None."""
    return next((piece for piece in trial.slices if piece.to_step == step), None)


def loss_at(trial: TrialRecord, step: int) -> float:
    """The validation loss of `trial` at `step`; infinite where it has none."""
    piece = slice_at(trial, step)
    return UNKNOWN if piece is None or piece.validation_loss is None else piece.validation_loss


def _memory(trial: TrialRecord, step: int) -> float:
    """Measured peak bytes: of the trial's second step, so the same at each rung."""
    peak = trial.slices[0].measured_peak_bytes if trial.slices else None
    return UNKNOWN if peak is None else float(peak)


def _size(trial: TrialRecord, step: int) -> float:
    """Trainable parameters, the head among them: what an adapter file holds."""
    return float(trial.slices[0].trainable_parameters) if trial.slices else UNKNOWN


def _latency(trial: TrialRecord, step: int) -> float:
    """Seconds of evaluating the rung's fixed rows."""
    piece = slice_at(trial, step)
    return UNKNOWN if piece is None else piece.evaluation_seconds


def _time(trial: TrialRecord, step: int) -> float:
    """Seconds of training up to the rung."""
    return sum(piece.train_seconds for piece in trial.slices if piece.to_step <= step)


OBJECTIVES: Mapping[str, Callable[[TrialRecord, int], float]] = {
    "loss": loss_at,
    "memory": _memory,
    "size": _size,
    "latency": _latency,
    "time": _time,
}


def values_at(trial: TrialRecord, step: int, objectives: Sequence[str]) -> Values:
    """The objectives' values at a rung, in their order."""
    return tuple(OBJECTIVES[name](trial, step) for name in objectives)


def in_order(trials: Sequence[TrialRecord], step: int, objectives: Sequence[str]) -> list[TrialRecord]:
    """Peers at a rung, the best first: by non-dominated rank, within one by the first objective."""
    values = [values_at(trial, step, objectives) for trial in trials]
    ranks = front_numbers(values) if len(objectives) > 1 else [0] * len(trials)
    keys = [(rank, value[0], trial.spec.number) for rank, value, trial in zip(ranks, values, trials, strict=True)]
    return [trials[place] for place in sorted(range(len(trials)), key=keys.__getitem__)]


def front_numbers(values: Sequence[Values]) -> list[int]:
    """The non-dominated rank of each: 0 on the Pareto front, 1 on the front of what is left without it, and so on."""
    ranks = [-1] * len(values)
    left, rank = set(range(len(values))), 0
    while left:
        front = {one for one in left if not any(dominates(values[other], values[one]) for other in left)}
        for one in front:
            ranks[one] = rank
        left -= front
        rank += 1
    return ranks


def dominates(one: Values, other: Values) -> bool:
    """Whether `one` is nowhere worse and somewhere better."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))

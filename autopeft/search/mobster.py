"""The sampler over whole learning curves: the configuration that promises most improvement for what it costs.

Source: MOBSTER (arXiv:2003.10865), algorithm 1, with expected improvement per cost (arXiv:1206.2944, section 3.2).
Candidates are drawn over the whole space, and around the best trials. Trials that are running are taken to come out
as expected, which keeps others away from them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autopeft.domain.methods import MethodSpec
from autopeft.domain.trials import TrialRecord
from autopeft.search.curve_model import CurveModel, Floats, Points, expected_improvement, falls_ahead, normal_scores
from autopeft.search.space import Configuration, Space

# Until so many trials have a loss, draws are uniform.
STARTUP_TRIALS = 8
CANDIDATES = 64
# Half of the candidates are drawn around so many trials.
BEST_TRIALS = 6
# A proposal's work grows with the cube of these.
MOST_TRIALS = 250
# The logarithm of a loss that is no number, and the least loss that is told from nothing.
WORST = 50.0
LEAST_LOSS = 1e-12
# Stands in for a cost of nothing.
FREE = 1e-9


@dataclass(frozen=True, slots=True)
class Seen:
    """What the trials have shown, one entry for each slice of each.

    Attributes:
        records: the trial.
        steps: reached by the slice.
        finals: the logarithm of the loss that it would come to if it fell on as others did.
    """

    records: Sequence[TrialRecord]
    steps: Sequence[int]
    finals: Floats

    @property
    def last_step(self) -> int:
        """The farthest that any trial got."""
        return max(self.steps)


def propose_by_curves(
    trials: Sequence[TrialRecord], methods: Mapping[str, MethodSpec], seed: int, cost: Callable[[str], float]
) -> Configuration:
    """The next configuration to start.

    Args:
        trials: of these methods, in any order.
        methods: by id.
        seed: of this proposal.
        cost: what training with a method costs, in any unit.
    """
    generator = np.random.default_rng(seed)
    space = Space({name: methods[name] for name in sorted(methods)})
    known = sorted(trials, key=lambda record: record.spec.number)
    if sum(record.steps_done > 0 for record in known) < STARTUP_TRIALS:
        return space.uniform(generator)
    seen = _seen(_latest([record for record in known if _is_told(record)]))
    begun = [record for record in known if not _is_told(record)]
    model, best = _fitted(space, seen, begun)
    candidates = _candidates(space, seen, generator)
    points = space.points(candidates, [seen.last_step] * CANDIDATES, range(-CANDIDATES, 0))
    gains = expected_improvement(model.means(points), model.spreads(points), best)
    costs = {method: max(cost(method), FREE) for method in {method for method, _ in candidates}}
    return candidates[int(np.argmax(gains / np.array([costs[method] for method, _ in candidates])))]


def _is_told(record: TrialRecord) -> bool:
    return bool(record.slices) or record.state in ("failed", "oom")


def _latest(records: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """Not more than can be fitted at each proposal: those that got farthest, then the newest."""
    kept = sorted(records, key=lambda record: (record.steps_done, record.spec.number))[-MOST_TRIALS:]
    return sorted(kept, key=lambda record: record.spec.number)


def _seen(records: Sequence[TrialRecord]) -> Seen:
    curves = [
        {piece.to_step: _log_loss(piece.validation_loss) for piece in record.slices if piece.to_step > 0}
        for record in records
    ]
    steps = sorted({step for curve in curves for step in curve})
    ahead = falls_ahead(curves, steps)
    # A trial that failed before its first rung is the worst that there is at it.
    told = [
        (record, step, loss - ahead[step])
        for record, curve in zip(records, curves, strict=True)
        for step, loss in (curve or {steps[0]: WORST}).items()
    ]
    return Seen([one for one, _, _ in told], [step for _, step, _ in told], np.array([final for _, _, final in told]))


def _log_loss(loss: float | None) -> float:
    return math.log(max(loss, LEAST_LOSS)) if loss is not None and math.isfinite(loss) else WORST


def _fitted(space: Space, seen: Seen, begun: Sequence[TrialRecord]) -> tuple[CurveModel, float]:
    """The model, and the best that any trial is expected to come to."""
    points, scores = _points(space, seen.records, seen.steps), normal_scores(seen.finals)
    model = CurveModel(points, scores)
    best = float(model.means(points.at(math.log(seen.last_step))).min())
    if not begun:
        return model, best
    awaited = _points(space, begun, [min(seen.steps)] * len(begun))
    return CurveModel(points.joined(awaited), np.concatenate([scores, model.means(awaited)])), best


def _points(space: Space, records: Sequence[TrialRecord], steps: Sequence[int]) -> Points:
    configurations = [(record.spec.method, record.spec.hyperparameters) for record in records]
    return space.points(configurations, steps, [record.spec.number for record in records])


def _candidates(space: Space, seen: Seen, generator: np.random.Generator) -> list[Configuration]:
    """Half of them from anywhere, half around the trials that promise most by what they came to last."""
    last = {record.spec.number: (final, record) for record, final in zip(seen.records, seen.finals, strict=True)}
    best = [record for _, record in sorted(last.values(), key=lambda one: (one[0], one[1].spec.number))][:BEST_TRIALS]
    near = [(record.spec.method, record.spec.hyperparameters) for record in best]
    half = CANDIDATES // 2
    return [space.uniform(generator) for _ in range(half)] + [
        space.nearby(near[place % len(near)], generator) for place in range(CANDIDATES - half)
    ]

"""Freeze-thaw: after every slice, go on with the paused trial or begin the new one that promises most per second.

Source: the choice between freezing and thawing is that of Swersky, Snoek and Adams (arXiv:1406.3896). The curves are
extrapolated more simply: between two rungs the logarithm of the loss falls by an amount whose mean and spread are
those of the study's own curves over the same stretch, drawn towards a prior while there are few.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from autopeft.domain.trials import TrialRecord
from autopeft.search.objectives import loss_at
from autopeft.search.scheduler import Advance, Decision, Start, View, unfinished_start

# Before so many trials have finished their first rung, nothing is known of new ones: they begin.
TRIALS_UNTIL_CHOICE = 4
# The prior of what tripling the training does to the logarithm of the loss, worth this many curves.
PRIOR_CURVES = 2.0
PRIOR_DROP = 0.10
PRIOR_SPREAD = 0.10
# Of the logarithm of the final loss: a paused trial that promises less is left.
LEAST_IMPROVEMENT = 0.005
# Where all trials so far are alike, a new one is still thought to differ by this much.
LEAST_SPREAD = 1e-3
# Stands in for a cost of nothing: a plan without a step time, before any slice of its own is timed.
FREE = 1e-9


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of the logarithm of a final loss; normal.

    Attributes:
        mean: of it.
        spread: standard deviation.
    """

    mean: float
    spread: float

    def improvement(self, best: float) -> float:
        """How far below `best` it is expected to come, what is above counting as nothing."""
        if self.spread <= 0.0:
            return max(0.0, best - self.mean)
        score = (best - self.mean) / self.spread
        density = math.exp(-score * score / 2) / math.sqrt(2 * math.pi)
        below = (1 + math.erf(score / math.sqrt(2))) / 2
        return (best - self.mean) * below + self.spread * density


def freeze_thaw(view: View) -> Decision:
    """The slice with the greatest expected improvement of the best final loss per cost of getting there."""
    begun = unfinished_start(view)
    if begun is not None:
        return begun
    scored = [trial for trial in view.trials if trial.slices and trial.state not in ("failed", "oom")]
    first = view.rungs[0]
    if view.next_number is not None and len(scored) < TRIALS_UNTIL_CHOICE:
        return Start(first)
    if not scored:
        return None
    drops = stretch_drops(scored, view.rungs)
    final = {trial.spec.number: predict(trial, view.rungs, drops) for trial in scored}
    best = min(final[trial.spec.number].mean for trial in scored)
    options: list[tuple[float, Advance | Start]] = [
        (_value(view, trial, final[trial.spec.number], best), _next(view, trial))
        for trial in scored
        if trial.state == "paused"
        and trial.steps_done < view.rungs[-1]
        and trial.spec.number not in view.busy
        and final[trial.spec.number].improvement(best) > LEAST_IMPROVEMENT
    ]
    if view.next_number is not None:
        options.append((_value_of_new(view, [final[trial.spec.number] for trial in scored], best), Start(first)))
    return max(options, key=lambda option: option[0])[1] if options else None


def stretch_drops(trials: Sequence[TrialRecord], rungs: Sequence[int]) -> list[Prediction]:
    """For each stretch between neighbouring rungs: by how much the logarithm of the loss falls."""
    found = []
    for before, after in pairwise(rungs):
        pairs = [(loss_at(trial, before), loss_at(trial, after)) for trial in trials]
        seen = [math.log(one) - math.log(two) for one, two in pairs if _usable(one) and _usable(two)]
        scale = math.log(after / before) / math.log(3)
        found.append(_towards_prior(seen, PRIOR_DROP * scale, PRIOR_SPREAD * scale))
    return found


def predict(trial: TrialRecord, rungs: Sequence[int], drops: Sequence[Prediction]) -> Prediction:
    """The final loss of a trial: its last one, less the drops that lie before it."""
    reached = max((place for place, rung in enumerate(rungs) if rung <= trial.steps_done), default=0)
    ahead = drops[reached:]
    last = math.log(trial.loss) if _usable(trial.loss) else math.log(1e6)
    spread = math.sqrt(math.fsum(drop.spread**2 for drop in ahead))
    return Prediction(last - math.fsum(drop.mean for drop in ahead), spread)


def _usable(loss: float) -> bool:
    return math.isfinite(loss) and loss > 0.0


def _towards_prior(seen: Sequence[float], mean: float, spread: float) -> Prediction:
    count = len(seen) + PRIOR_CURVES
    centre = (math.fsum(seen) + PRIOR_CURVES * mean) / count
    squares = math.fsum((one - centre) ** 2 for one in seen) + PRIOR_CURVES * (spread**2 + (mean - centre) ** 2)
    return Prediction(centre, math.sqrt(squares / count))


def _value(view: View, trial: TrialRecord, final: Prediction, best: float) -> float:
    """Improvement per cost of training it to the end."""
    return final.improvement(best) / (view.cost(trial.spec.method, view.rungs[-1] - trial.steps_done) or FREE)


def _value_of_new(view: View, finals: Sequence[Prediction], best: float) -> float:
    """Likewise of a trial that has not begun: it may become whatever the others may, and costs the whole way."""
    mean = math.fsum(one.mean for one in finals) / len(finals)
    squares = math.fsum(one.spread**2 + (one.mean - mean) ** 2 for one in finals) / len(finals)
    cost = math.fsum(view.cost(trial.spec.method, view.rungs[-1]) for trial in view.trials) / len(view.trials)
    return Prediction(mean, max(LEAST_SPREAD, math.sqrt(squares))).improvement(best) / (cost or FREE)


def _next(view: View, trial: TrialRecord) -> Advance:
    return Advance(trial.spec.number, next(rung for rung in view.rungs if rung > trial.steps_done))

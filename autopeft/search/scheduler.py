"""Which trial is trained further, and when a new one starts: pure decisions over resumable rungs.

Sources: ASHA (arXiv:1810.05934, algorithm 2), with promotion as resumption of the paused trial; Hyperband
(arXiv:1603.06560, algorithm 1), its brackets run side by side as in section 3.1 of the ASHA paper.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from autopeft.domain.trials import TrialRecord
from autopeft.search.objectives import in_order

REDUCTION_FACTOR = 3
LEAST_RUNG_STEPS = 12


@dataclass(frozen=True, slots=True)
class Advance:
    """Train this trial on, up to `to_step`."""

    number: int
    to_step: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start a new trial and train it to `to_step`."""

    to_step: int


Decision = Advance | Start | None


@dataclass(frozen=True, slots=True)
class View:
    """What a scheduler decides on.

    Attributes:
        trials: all, those of other processes among them.
        rungs: steps, ascending.
        next_number: what a new trial would be called; None where none may start.
        busy: numbers of trials that cannot be advanced now: they are running, or are another process's.
        objectives: see `autopeft.search.objectives`.
        cost: (method, steps) -> what training so many steps costs, in any unit.
        seed: of whatever the scheduler draws.
    """

    trials: Sequence[TrialRecord]
    rungs: Sequence[int]
    next_number: int | None
    busy: frozenset[int] = frozenset()
    objectives: Sequence[str] = ("loss",)
    cost: Callable[[str, int], float] = field(default=lambda method, steps: float(steps))
    seed: int = 0


Scheduler = Callable[[View], Decision]


def rung_steps(
    full_steps: int, *, factor: int = REDUCTION_FACTOR, least: int = LEAST_RUNG_STEPS, most: int = 3
) -> tuple[int, ...]:
    """At most `most` rungs, each `factor` times the one before, the first no shorter than `least` steps."""
    rungs = [full_steps]
    while len(rungs) < most and rungs[0] >= factor * least:
        rungs.insert(0, -(-rungs[0] // factor))
    return tuple(rungs)


def asha(view: View) -> Decision:
    """Successive halving: the highest possible promotion, else a new trial, else nothing.

    A trial without a finished slice goes first. Failed trials count as reached and worst.
    """
    return unfinished_start(view) or _promotion(view, lambda _number: 0) or _new(view, 0)


def hyperband(view: View) -> Decision:
    """Successive halving in several brackets: some trials begin at a higher rung, and meet their like only."""
    brackets = len(view.rungs)

    def bracket(number: int) -> int:
        return bracket_of(number, brackets)

    begun = unfinished_start(view)
    if begun is not None:
        return Advance(begun.number, view.rungs[bracket(begun.number)])
    first = 0 if view.next_number is None else bracket(view.next_number)
    return _promotion(view, bracket) or _new(view, first)


def unfinished_start(view: View) -> Advance | None:
    """A trial that was begun and has finished no slice: an earlier session was stopped in it."""
    for trial in view.trials:
        if trial.state == "running" and trial.steps_done == 0 and trial.spec.number not in view.busy:
            return Advance(trial.spec.number, view.rungs[0])
    return None


def _new(view: View, level: int) -> Start | None:
    return None if view.next_number is None else Start(view.rungs[level])


def _promotion(view: View, bracket: Callable[[int], int]) -> Advance | None:
    """The best trial paused at the highest rung that is among the top 1/factor of its bracket there."""
    for level in range(len(view.rungs) - 2, -1, -1):
        for one in range(level + 1):
            peers = [trial for trial in view.trials if bracket(trial.spec.number) == one]
            best = _promotable(view, peers, view.rungs[level])
            if best is not None:
                return Advance(best.spec.number, view.rungs[level + 1])
    return None


def _promotable(view: View, peers: Sequence[TrialRecord], rung: int) -> TrialRecord | None:
    reached = [trial for trial in peers if trial.steps_done >= rung or trial.state in ("failed", "oom")]
    alive = [trial for trial in reached if trial.state not in ("failed", "oom")]
    for trial in in_order(alive, rung, view.objectives)[: len(reached) // REDUCTION_FACTOR]:
        if trial.steps_done == rung and trial.state == "paused" and trial.spec.number not in view.busy:
            return trial
    return None


def bracket_of(number: int, brackets: int) -> int:
    """Hyperband's bracket of a trial: the rung, from 0, at which it begins."""
    pattern = _pattern(brackets)
    return pattern[number % len(pattern)]


@cache
def _pattern(brackets: int) -> tuple[int, ...]:
    """Brackets in turn, each as often as Hyperband begins trials in it: more the earlier they may be stopped."""
    # Bracket `level` may still be halved `brackets - 1 - level` times: the formula of Hyperband with that many left.
    halvings = range(brackets - 1, -1, -1)
    sizes = [math.ceil(brackets / (left + 1) * REDUCTION_FACTOR**left) for left in halvings]
    places = [((place + 0.5) / size, level) for level, size in enumerate(sizes) for place in range(size)]
    return tuple(level for _, level in sorted(places))


def ranking(trials: Sequence[TrialRecord], objectives: Sequence[str] = ("loss",)) -> list[TrialRecord]:
    """All trials with a finished rung, the most promising first: by rung reached, then by the objectives there.

    Within successive halving a trial that got further had beaten the ones that did not.
    """
    scored = [trial for trial in trials if trial.slices and trial.state not in ("failed", "oom")]
    reached = sorted({trial.steps_done for trial in scored}, reverse=True)
    peers = ([trial for trial in scored if trial.steps_done == step] for step in reached)
    return [trial for step, group in zip(reached, peers, strict=True) for trial in in_order(group, step, objectives)]

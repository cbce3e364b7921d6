"""What earlier searches found, used with care: a share of the trials, as long as they hold their own.

Every third trial may begin from a configuration that did well in an earlier, similar search. Whether it does is
drawn as in `autopeft.search.bandit`: by how often such trials, and the others, came out near the top. So a past that
misleads is dropped after few trials, and cannot take more than its share before that.
"""

import random
from collections.abc import Sequence

from autopeft.domain.plan import derived_seed
from autopeft.domain.trials import TrialRecord
from autopeft.search.bandit import BEST_SHARE
from autopeft.search.sampler import Proposal

# One trial in so many, from the second on.
EVERY = 3
FIRST = 1


def slots_before(number: int, remembered: int) -> int:
    """How many of the trials before `number` were kept for the `remembered` configurations."""
    return min(remembered, (number - FIRST + EVERY - 1) // EVERY)


def start_place(number: int, remembered: int) -> int | None:
    """Which of the search's own starting points trial `number` begins from; None where it is the past's turn.

    A turn that the past is not given is the sampler's: the starting points keep their places.
    """
    before = slots_before(number, remembered)
    return None if slots_before(number + 1, remembered) > before else number - before


def remembered_proposal(
    history: Sequence[Proposal], ranked: Sequence[TrialRecord], number: int, *, seed: int
) -> Proposal | None:
    """The configuration of an earlier search that trial `number` begins from; None where it is another's turn.

    Args:
        history: the most promising first.
        ranked: trials of this search, the most promising first.
        number: of the trial.
        seed: of the search.
    """
    place, turn = divmod(number - FIRST, EVERY)
    if turn or not 0 <= place < len(history) or not _still_good(history, ranked, derived_seed(seed, "history", number)):
        return None
    return history[place]


def _still_good(history: Sequence[Proposal], ranked: Sequence[TrialRecord], seed: int) -> bool:
    """Whether the past gets its turn; it does until something is known of it."""
    best = {trial.spec.number for trial in ranked[: -(-len(ranked) // BEST_SHARE)]}
    past = {trial.spec.number for trial in ranked if _proposal(trial) in history}
    if not past:
        return True
    generator = random.Random(seed)
    good, others_good = len(past & best), len(best - past)
    others = len(ranked) - len(past)
    theirs = generator.betavariate(1 + others_good, 1 + others - others_good)
    return generator.betavariate(1 + good, 1 + len(past) - good) >= theirs


def _proposal(trial: TrialRecord) -> Proposal:
    return Proposal(trial.spec.method, dict(trial.spec.hyperparameters))

"""Which method to try next: Thompson sampling over how often a method's trials came out near the top.

Source: Thompson (1933), as in Chapelle and Li, "An Empirical Evaluation of Thompson Sampling" (2011), algorithm 2:
a Beta distribution for each arm. An arm is a method, a success a trial in the best third of all trials.
"""

import random
from collections.abc import Sequence

from autopeft.domain.trials import TrialRecord

BEST_SHARE = 3


def choose_method(ranked: Sequence[TrialRecord], methods: Sequence[str], *, seed: int) -> str:
    """The method with the greatest draw.

    Args:
        ranked: trials, the most promising first.
        methods: ids to choose among, in a fixed order.
        seed: of the draws.
    """
    generator = random.Random(seed)
    best = {trial.spec.number for trial in ranked[: -(-len(ranked) // BEST_SHARE)]}
    draws: dict[str, float] = {}
    for method in methods:
        numbers = [trial.spec.number for trial in ranked if trial.spec.method == method]
        good = sum(number in best for number in numbers)
        draws[method] = generator.betavariate(1 + good, 1 + len(numbers) - good)
    return max(draws, key=draws.__getitem__)

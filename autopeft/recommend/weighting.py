"""How much each published measurement counts, from how near it is and whose it is.

A measurement tells of the situation asked for with an error that grows with the distance, so it counts by its
precision:

    weight = nearness * (1 + NUGGET) / (1 - nearness + NUGGET)

NUGGET is what is left where nothing differs. Over the tables of this catalogue, effects of one method differ by 0.45
doublings (standard deviation) between comparisons, and by 0.07 between two on the same base model, kind of task and
learning rate (benchmarks/recommender.md counts both); those are mostly of the same few data sets, and 0.1 is taken. So
a measurement of the very situation weighs twenty times as much as the weak expectation of an unmeasured method, and one
half as near weighs as much as it.

All measurements of one campaign together count as its weightiest one: six tables of one paper are one voice.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

# Standard deviations of a method's effect, in doublings.
BETWEEN_COMPARISONS: Final = 0.45
SAME_SITUATION: Final = 0.10
NUGGET: Final = (SAME_SITUATION / BETWEEN_COMPARISONS) ** 2

Item = TypeVar("Item")


def precision(nearness: float) -> float:
    """The weight of a measurement at `nearness` from 0 to 1; 0 for 0, and about 1 for 0.5."""
    return nearness * (1 + NUGGET) / (1 - nearness + NUGGET)


def one_voice(found: Sequence[tuple[Item, str, float]]) -> list[tuple[Item, float]]:
    """The items with the weights of each campaign scaled so that they sum to its greatest one.

    Args:
        found: item, its campaign, and its weight.
    """
    scale = {name: _share(weight for _, campaign, weight in found if campaign == name) for _, name, _ in found}
    return [(item, weight * scale[campaign]) for item, campaign, weight in found]


def _share(weights: Iterable[float]) -> float:
    listed = list(weights)
    total = math.fsum(listed)
    return max(listed) / total if total else 1.0

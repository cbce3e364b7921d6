"""How near a published comparison is to what is asked: the weight of its figures, from 0 to 1.

    weight = size * architecture * task * data * learning rate * likeness * status

Each factor is 1 for the same situation. Sizes, rows and learning rates count by their distance in powers of ten, with a
bell curve; another kind of architecture or of task halves the weight, and so does a size or an architecture that the
source does not state. These widths are conventions, few on purpose: one power of ten in size or learning rate leaves
0.61 of the weight, two leave 0.14. benchmarks/recommender.md shows what other values would give.
"""

import math
from dataclasses import dataclass
from typing import Final

from autopeft.domain.evidence import Comparison, TaskKind
from autopeft.domain.models import Kind

SIZE_DECADES: Final = 1.0
ROWS_DECADES: Final = 1.0
RATE_DECADES: Final = 1.0
OTHER_KIND: Final = 0.5
UNSTATED: Final = 0.5


@dataclass(frozen=True, slots=True)
class Situation:
    """What is asked, in the terms that comparisons are described in.

    Attributes:
        model_parameters: size of the base model.
        architecture_kind: of the base model.
        task_kind: whether labels or texts are produced; None where a task may be either.
        training_rows: labelled examples, or None when unknown.
        learning_rate: the only one that will be tried, or None for each method's own.
    """

    model_parameters: int
    architecture_kind: Kind
    task_kind: TaskKind | None
    training_rows: int | None = None
    learning_rate: float | None = None

    def weight_of(self, comparison: Comparison) -> float:
        """The weight of a comparison, without what single measurements add to it."""
        size, rows = comparison.model_parameters, comparison.training_rows
        weight = UNSTATED if size is None else bell(size / self.model_parameters, SIZE_DECADES)
        if comparison.architecture_kind is None:
            weight *= UNSTATED
        elif comparison.architecture_kind != self.architecture_kind:
            weight *= OTHER_KIND
        if None not in (comparison.task_kind, self.task_kind) and comparison.task_kind != self.task_kind:
            weight *= OTHER_KIND
        if rows is not None and self.training_rows is not None:
            weight *= bell(rows / self.training_rows, ROWS_DECADES)
        return weight


def bell(ratio: float, decades: float) -> float:
    """1 for equal amounts, 0.61 at a distance of `decades` powers of ten."""
    return math.exp(-0.5 * (math.log10(ratio) / decades) ** 2)

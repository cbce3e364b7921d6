"""An estimator that knows how many weights each method trains, and nothing else."""

from collections.abc import Mapping

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec


class ParameterTable:
    """Estimates whose only true figure is the number of trained weights; cost does not count here."""

    def __init__(self, counts: Mapping[str, int], base_parameters: int) -> None:
        self.counts, self.base_parameters = counts, base_parameters

    def __call__(
        self, model: ModelSpec, task: TaskSpec, method: MethodSpec, hyperparameters: Hyperparameters, shape: StepShape
    ) -> MemoryEstimate:
        trained = self.counts[method.id]
        parts = dict.fromkeys(COMPONENTS, 0)
        return MemoryEstimate(
            model.name,
            method.id,
            dict(hyperparameters),
            trained,
            trained,
            self.base_parameters,
            parts,
            1,
            1,
            "backward",
            1,
        )

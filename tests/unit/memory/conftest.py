from typing import Any

import pytest
from tiny_configs import tiny_config

from autopeft.catalog.load import load_catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.pricing import BaseModels, Pricing
from autopeft.modeling.architecture import architecture_of

TASKS = {"encoder": "sequence-classification", "decoder": "causal-lm", "encoder-decoder": "text-to-text"}
SHAPE = StepShape(batch_size=4, max_length=64, target_length=32, dtype="bfloat16")


class Tiny:
    """Pricings of tiny models."""

    def __init__(self) -> None:
        self.catalog = load_catalog()
        self._bases = BaseModels()

    def model(self, kind: str, **changes: Any) -> ModelSpec:
        return ModelSpec(f"tiny-{kind}", tiny_config(kind) | changes)

    def pricing(
        self,
        kind: str,
        method: str,
        shape: StepShape = SHAPE,
        given: Hyperparameters | None = None,
        task: str | None = None,
        **options: Any,
    ) -> Pricing:
        model = self.model(kind)
        architecture = architecture_of(model.config, self.catalog)
        spec = self.catalog.method(method)
        return Pricing(
            model,
            self.catalog.tasks[task or TASKS[architecture.kind]],
            spec,
            spec.complete(given or {}, 10**8),
            shape,
            architecture,
            bases=self._bases,
            **options,
        )


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return Tiny()

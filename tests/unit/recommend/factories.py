"""Small domain objects, and an estimator that answers from a table."""

from collections.abc import Mapping

from autopeft.domain.knobs import Hyperparameters, Knob
from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec, Source
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.rules import Effect, Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError

SOURCE = Source("arXiv:0000.00000", "section 1")
MODEL = ModelSpec("tiny", {"model_type": "llama"})
ARCHITECTURE = ArchitectureSpec("llama", ("llama",), "decoder", {}, has_biases=False)
TASK = TaskSpec(
    "causal-lm", "LM", "language-model", "causal-lm", "CAUSAL_LM", "loss", False, {}, (), ("decoder",), 4, 512
)
GIB = 2**30


def method(name: str, **fields: object) -> MethodSpec:
    settings = {"family": "additive", "builder": "LORA", "summary": name, "sources": (SOURCE,)} | fields
    rate = Knob("learning_rate", "float", 1e-3, 1e-5, 1e-1, log=True, size_defaults=((10**9, 1e-2),))
    return MethodSpec(id=name, title=name.upper(), knobs=(rate,), **settings)  # type: ignore[arg-type]


def rule(
    name: str, when: str, kind: str, methods: tuple[str, ...], weight: float = 1.0, status: str = "verified"
) -> Rule:
    effect = Effect(kind, methods, weight)  # type: ignore[arg-type]
    return Rule(name, name, when, (effect,), f"because {name}", SOURCE, status, ())  # type: ignore[arg-type]


class TableEstimator:
    """Answers with the reserved bytes and operations of a table; raises for what is not in it."""

    def __init__(self, table: Mapping[str, tuple[int, int]]) -> None:
        self.table = table
        self.asked: list[str] = []

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        self.asked.append(method.id)
        if method.id not in self.table:
            raise ModelError(f"{method.id} cannot be traced")
        reserved, flops = self.table[method.id]
        parts = dict.fromkeys(COMPONENTS, 0) | {"weights": reserved, "allocator_overhead": 0}
        return MemoryEstimate(
            model.name,
            method.id,
            dict(hyperparameters),
            10,
            10,
            1000,
            parts,
            reserved,
            reserved,
            "backward",
            flops,
        )

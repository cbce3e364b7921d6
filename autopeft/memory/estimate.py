"""The estimator that `recommend`, `estimate` and `search` are handed: traced once, then read from the cache."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from autopeft.catalog import Catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.work import StepWork
from autopeft.errors import ModelError
from autopeft.memory.cache import EstimateCache, cache_key, user_cache
from autopeft.memory.collector import without_collector
from autopeft.memory.workspace import cublas_workspace_bytes

if TYPE_CHECKING:
    from autopeft.memory.pricing import BaseModels

Kept = dict[str, Any]
_FIELDS = frozenset(field.name for field in fields(MemoryEstimate))


@dataclass(frozen=True, slots=True)
class Question:
    """What an estimate is asked of."""

    model: ModelSpec
    task: TaskSpec
    method: MethodSpec
    hyperparameters: Hyperparameters
    shape: StepShape


class TracingEstimator:
    """Predicts a step's memory; satisfies `autopeft.domain.memory.Estimator`.

    Torch is imported when the first estimate is not in the cache, never before.

    Args:
        catalog: knows the architectures.
        device: `cuda` predicts what a GPU runs and its allocator; `cpu` the bytes of tensors on a CPU.
        padded: whether batches hold padding, so that attention runs with a mask.
        compute_capability: of the GPU, such as (8, 9), where it is known; it decides cuBLAS's workspace.
        cache: where estimates are kept; True is the user's cache folder, False keeps none on disk. The
            environment variable `AUTOPEFT_CACHE=off` turns the user's folder off.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        device: Literal["cuda", "cpu"] = "cuda",
        padded: bool = False,
        compute_capability: tuple[int, int] | None = None,
        cache: EstimateCache | bool = True,
    ) -> None:
        self.catalog = catalog
        self.device: Literal["cuda", "cpu"] = device
        self.padded = padded
        self.compute_capability = compute_capability
        self._cache = cache if isinstance(cache, EstimateCache) else user_cache() if cache else None
        self._known: dict[str, Kept] = {}
        self._bases: BaseModels | None = None

    def __call__(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> MemoryEstimate:
        """The estimate.

        Raises:
            ModelError: the model cannot be built, the method does not apply to it, or a step cannot be traced.
        """
        return self.answer(Question(model, task, method, hyperparameters, shape), self.trace)

    def answer(self, question: Question, price: Callable[[Question], Kept]) -> MemoryEstimate:
        """What is known about `question`, or what `price` says, which is then known too.

        Raises:
            ModelError: it was found that there is no estimate.
        """
        key = self._key(question)
        kept = self._look_up(key)
        if kept is None:
            kept = self._known[key] = price(question)
            if self._cache:
                self._cache.put(key, kept)
        return _restored(kept, question.model.name)

    def knows(self, question: Question) -> bool:
        """Whether `question` can be answered without a trace."""
        return self._look_up(self._key(question)) is not None

    def trace(self, question: Question) -> Kept:
        """The estimate as plain values, or the error that says why there is none; nothing is kept."""
        with without_collector():
            from autopeft.memory.pricing import BaseModels, Pricing, price
        from autopeft.modeling.architecture import architecture_of

        bases = self._bases = self._bases or BaseModels()
        try:
            architecture = architecture_of(question.model.config, self.catalog)
            step = Pricing(
                question.model,
                question.task,
                question.method,
                question.hyperparameters,
                question.shape,
                architecture,
                self.device,
                self.padded,
                self.compute_capability,
                bases,
            )
            return _plain(price(step))
        except ModelError as error:
            return {"error": error.message, "hint": error.hint}

    def _look_up(self, key: str) -> Kept | None:
        if key not in self._known and self._cache:
            kept = self._cache.get(key)
            if kept is not None and _is_whole(kept):
                self._known[key] = kept
        return self._known.get(key)

    def _key(self, question: Question) -> str:
        method, model, task = question.method, question.model, question.task
        architectures = [a for a in self.catalog.architectures.values() if model.model_type in a.model_types]
        return cache_key(
            {
                "config": dict(model.config),
                "name": model.name,
                "head": task.head,
                "peft_task_type": task.peft_task_type,
                "objective": task.objective,
                "builder": method.builder,
                "update": method.update,
                "settings": dict(method.settings),
                "as_recorded": method.as_recorded,
                "targets": {field: list(roles) for field, roles in method.targets.items()},
                "arguments": {knob.name: knob.argument for knob in method.knobs},
                "method": method.id,
                "hyperparameters": dict(question.hyperparameters),
                "roles": [{role: list(names) for role, names in a.roles.items()} for a in architectures],
                "shape": asdict(question.shape),
                "device": self.device,
                "padded": self.padded,
                "workspace_bytes": cublas_workspace_bytes(self.compute_capability),
            }
        )


def _is_whole(kept: Kept) -> bool:
    """Whether `kept` is an estimate or an error as this version writes them; anything else was never kept."""
    if "error" in kept:
        return isinstance(kept["error"], str) and isinstance(kept.get("hint"), str | None)
    if kept.keys() != _FIELDS or not isinstance(kept["components_bytes"], dict):
        return False
    counted = (kept["peak_bytes"], kept["reserved_bytes"], kept["step_flops"], *kept["components_bytes"].values())
    whole = all(isinstance(count, int) for count in counted) and isinstance(kept["assumptions"], list)
    return whole and (kept["work"] is None or _is_work(kept["work"]))


def _is_work(plain: Any) -> bool:
    try:
        StepWork.from_dict(plain)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def _plain(estimate: MemoryEstimate) -> Kept:
    """The estimate as JSON values, with the work that any device can be priced from."""
    return estimate.to_dict() | {"work": None if estimate.work is None else estimate.work.to_dict()}


def _restored(kept: Kept, name: str) -> MemoryEstimate:
    if "error" in kept:
        raise ModelError(kept["error"], hint=kept["hint"])
    work = None if kept["work"] is None else StepWork.from_dict(kept["work"])
    return MemoryEstimate(**{**kept, "model": name, "assumptions": tuple(kept["assumptions"]), "work": work})

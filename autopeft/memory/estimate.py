"""The estimator that `recommend`, `estimate` and `search` are handed: traced once, then read from the cache."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from autopeft.catalog import Catalog
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.memory.cache import EstimateCache, cache_key

if TYPE_CHECKING:
    from autopeft.memory.pricing import BaseModels


class TracingEstimator:
    """Predicts a step's memory; satisfies `autopeft.domain.memory.Estimator`.

    Torch is imported when the first estimate is not in the cache, never before.

    Args:
        catalog: knows the architectures.
        device: `cuda` predicts what a GPU runs and its allocator; `cpu` the bytes of tensors on a CPU.
        padded: whether batches hold padding, so that attention runs with a mask.
        cache: where estimates are kept; True is the user's cache folder, False keeps none. The environment
            variable `AUTOPEFT_CACHE=off` turns the user's folder off.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        device: Literal["cuda", "cpu"] = "cuda",
        padded: bool = False,
        cache: EstimateCache | bool = True,
    ) -> None:
        self._catalog = catalog
        self._device: Literal["cuda", "cpu"] = device
        self._padded = padded
        self._cache = _cache_of(cache)
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
        key = cache_key(self._parts(model, task, method, hyperparameters, shape)) if self._cache else ""
        kept = self._cache.get(key) if self._cache else None
        if kept is None:
            kept = self._priced(model, task, method, hyperparameters, shape)
            if self._cache:
                self._cache.put(key, kept)
        return _restored(kept, model.name)

    def _priced(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> dict[str, Any]:
        """The estimate as plain values, or the error that says why there is none."""
        from autopeft.memory.pricing import BaseModels, Pricing, price
        from autopeft.modeling.architecture import architecture_of

        bases = self._bases = self._bases or BaseModels()
        try:
            architecture = architecture_of(model.config, self._catalog)
            step = Pricing(model, task, method, hyperparameters, shape, architecture, self._device, self._padded, bases)
            return price(step).to_dict()
        except ModelError as error:
            return {"error": error.message, "hint": error.hint}

    def _parts(
        self,
        model: ModelSpec,
        task: TaskSpec,
        method: MethodSpec,
        hyperparameters: Hyperparameters,
        shape: StepShape,
    ) -> dict[str, Any]:
        model_type = model.model_type
        architectures = [a for a in self._catalog.architectures.values() if model_type in a.model_types]
        return {
            "config": dict(model.config),
            "name": model.name,
            "head": task.head,
            "peft_task_type": task.peft_task_type,
            "builder": method.builder,
            "settings": dict(method.settings),
            "targets": {field: list(roles) for field, roles in method.targets.items()},
            "arguments": {knob.name: knob.argument for knob in method.knobs},
            "method": method.id,
            "hyperparameters": dict(hyperparameters),
            "roles": [{role: list(names) for role, names in a.roles.items()} for a in architectures],
            "shape": asdict(shape),
            "device": self._device,
            "padded": self._padded,
        }


def _cache_of(wanted: EstimateCache | bool) -> EstimateCache | None:
    if isinstance(wanted, EstimateCache):
        return wanted
    switched_off = os.environ.get("AUTOPEFT_CACHE", "").lower() in ("off", "0", "no", "false")
    return EstimateCache() if wanted and not switched_off else None


def _restored(kept: dict[str, Any], name: str) -> MemoryEstimate:
    if "error" in kept:
        raise ModelError(kept["error"], hint=kept["hint"])
    return MemoryEstimate(**{**kept, "model": name, "assumptions": tuple(kept["assumptions"])})

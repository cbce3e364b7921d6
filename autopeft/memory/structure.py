"""Wraps for a trace: on the meta device where the method can, else on real target weights that then go to meta.

Some methods compute on the weights while they wrap (a mask, a clustering), which meta tensors cannot. Those are tried
again with masks whose trues are counted, then with the targeted weights as real zeros on the CPU, everything else still
on meta. Then every tensor of the wrapped model is replaced by its twin on meta, shared storages staying shared, and it
is traced as usual. Which methods need it is found by trying, so that nothing here names one.
"""

import copy
import re
import warnings
from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.memory.counted_masks import CountedMasks
from autopeft.memory.cpu import LapackFactors
from autopeft.modeling.architecture import target_regex
from autopeft.modeling.clone import clone_sharing_weights
from autopeft.modeling.wrap import wrap

# Code reads integers as short as these back (a shape, a count), so they keep their values.
_SHORT = 16
# A shallow model of 7 billion parameters needs a tenth of it; a deep one would not leave room to work.
_MOST_REAL_BYTES = 2 * 2**30
# A prime, so that no two rows of a matrix are alike.
_PATTERN = 4099
_aten = torch.ops.aten
_DECOMPOSITIONS = {
    _aten._linalg_svd.default,
    _aten._linalg_eigh.default,
    _aten._linalg_solve_ex.default,
    _aten.linalg_inv_ex.default,
    _aten.linalg_lstsq.default,
    _aten.linalg_qr.default,
    _aten.mm.default,
    _aten.bmm.default,
    _aten.addmm.default,
}


def wrap_for_trace(
    base: PreTrainedModel,
    method: MethodSpec,
    hyperparameters: Hyperparameters,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    *,
    on_cpu: bool = False,
) -> nn.Module:
    """The wrapped model with every tensor on meta, whether or not the method can wrap there.

    Args:
        base: on meta; it is not changed. Where real weights are needed its targets are made real, about 33 MB for
            each 4096 x 4096 matrix in bfloat16: hand over a shallow model.
        method: of the catalogue.
        hyperparameters: all knobs of the method.
        task: decides the head.
        architecture: of the base.
        on_cpu: whether a CPU is meant, whose factors of a matrix lie otherwise than a GPU's.

    Raises:
        ModelError: the method does not apply to this model.
    """
    for stand_ins in (nullcontext(), CountedMasks()):
        try:
            with stand_ins, LapackFactors() if on_cpu else nullcontext():
                return wrap(base, method, hyperparameters, task, architecture)
        except ModelError as refusal:
            if not _asked_for_values(refusal):
                raise
    real = _with_real_targets(base, method, architecture)
    with StandInDecompositions(), KeptOnHost() as kept, warnings.catch_warnings():
        # A clustering of stand-in factors may say that it found few clusters.
        warnings.simplefilter("ignore")
        wrapped = wrap(real, method, hyperparameters, task, architecture)
    return to_meta(wrapped, kept.tensors)


def to_meta(model: nn.Module, kept_on_host: Collection[Tensor] = ()) -> nn.Module:
    """A copy of `model` with every tensor on meta: parameters, buffers and plain attributes alike.

    Args:
        model: with real tensors, some or all.
        kept_on_host: what would lie beside the device on the host; it stays a real tensor unless it is a parameter.

    Raises:
        ModelError: a tensor carries a gradient hook, which the copy would lose.
    """
    hooked = next((name for name, p in model.named_parameters() if getattr(p, "_backward_hooks", None)), None)
    if hooked is not None:
        raise ModelError(f"{hooked} has a gradient hook that a copy on meta would lose", hint="measure it instead")
    twins = _MetaTwins({one.untyped_storage()._cdata for one in kept_on_host})
    # Parameters copy themselves past the mode, so their twins are handed over.
    memo: dict[int, Any] = {
        id(p): nn.Parameter(twins.on_meta(p.detach()), requires_grad=p.requires_grad) for p in model.parameters()
    }
    with twins:
        copied: nn.Module = copy.deepcopy(model, memo)
    return copied


def _asked_for_values(refusal: ModelError) -> bool:
    """Whether wrapping failed since a meta tensor has none; torch names the device in each such error."""
    return "meta" in str(refusal.__cause__).lower()


def _with_real_targets(base: PreTrainedModel, method: MethodSpec, architecture: ArchitectureSpec) -> PreTrainedModel:
    """A copy of `base` whose targeted modules hold zeros on the CPU."""
    model = clone_sharing_weights(base)
    named = _target_patterns(model, method, architecture)
    targets = [m for name, m in model.named_modules() if any(re.fullmatch(regex, name) for regex in named)]
    if sum(p.nbytes for module in targets for p in module.parameters()) > _MOST_REAL_BYTES:
        raise ModelError(
            f"{method.id} computes on the weights when it is put on a model, and these are too many to make up",
            hint="its memory is unknown; measure it with a short run",
        )
    for module in targets:
        for key, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, key, nn.Parameter(_zeros_like(parameter), requires_grad=False))
    return model


def _zeros_like(parameter: Tensor) -> Tensor:
    """Zeros on the host that take memory and time only where they are read: numpy leaves them to the system."""
    return torch.from_numpy(numpy.zeros(parameter.nbytes, numpy.uint8)).view(parameter.dtype).view(parameter.shape)


def _target_patterns(model: PreTrainedModel, method: MethodSpec, architecture: ArchitectureSpec) -> list[str]:
    """Expressions of the names of the method's targets; a recorded configuration names them itself."""
    if not method.as_recorded:
        return [target_regex(architecture, roles, model, method=method.id) for roles in method.targets.values()]
    named = method.settings.get("target_modules") or []
    return [named] if isinstance(named, str) else [rf"(.*\.)?{re.escape(name)}" for name in named]


class StandInDecompositions(TorchDispatchMode):
    """Answers decompositions and matrix products with uneven factors of the right shapes, permutations in order.

    What they cost at full size buys nothing, since a trace asks for sizes alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: dict[tuple[int, torch.dtype], Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or what stands in for it."""
        given = kwargs or {}
        if func._overloadpacket is _aten.randperm:
            # One for all: nobody writes into a permutation, and one of 4096 x 4096 takes a tenth of a second.
            key = args[0], given.get("dtype") or torch.int64
            if key not in self._order:
                self._order[key] = torch.arange(args[0], dtype=key[1])
            return self._order[key].view(-1)
        if func not in _DECOMPOSITIONS:
            return func(*args, **given)
        return _filled(func(*map(_shape_only, args), **given))


def _shape_only(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _filled(out: Any) -> Any:
    """Real tensors in the shape of meta ones: uneven, or zero where they are codes such as LAPACK's `info`."""
    if isinstance(out, Tensor):
        if not out.dtype.is_floating_point:
            return torch.zeros(out.shape, dtype=out.dtype)
        pattern = torch.linspace(0.5, 1.0, _PATTERN, dtype=out.dtype).mul_(_PATTERN).sin_()
        return pattern.repeat(out.numel() // _PATTERN + 1)[: out.numel()].view(out.shape)
    return tuple(map(_filled, out)) if isinstance(out, list | tuple) else out


class KeptOnHost(TorchFunctionMode):
    """Notes what a method moves to the host while it wraps: on a GPU it would be copied back in every step.

    The host is meant where code names it; a device taken from another tensor is the host here by accident alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, and note its result if that stays on the host."""
        given = kwargs or {}
        out = func(*args, **given)
        if func is Tensor.cpu or (func is Tensor.to and self._stays(args, given)):
            self.tensors.append(out)
        return out

    def _stays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        named = [one for one in (*args[1:], *kwargs.values()) if isinstance(one, str | torch.device | Tensor)]
        storage = args[0].untyped_storage()._cdata
        return named == ["cpu"] or (not named and any(one.untyped_storage()._cdata == storage for one in self.tensors))


class _MetaTwins(TorchFunctionMode):
    """Makes `copy.deepcopy` give the meta twin of each tensor; tensors over one storage stay over one."""

    def __init__(self, host_storages: Collection[int]) -> None:
        super().__init__()
        self._host_storages = host_storages
        self._storages: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run `func`, or make a twin in place of a deep copy."""
        if func is not Tensor.__deepcopy__:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        if id(tensor) not in memo:
            memo[id(tensor)] = self.of(tensor)
        return memo[id(tensor)]

    def of(self, tensor: Tensor) -> Tensor:
        """The twin of one tensor that is no parameter; one that stays on the host is its own."""
        return tensor if tensor.untyped_storage()._cdata in self._host_storages else self.on_meta(tensor)

    def on_meta(self, tensor: Tensor) -> Tensor:
        """The twin of one tensor; a short integer one is copied with its values."""
        if not tensor.is_floating_point() and tensor.numel() <= _SHORT and not tensor.is_meta:
            return tensor.clone()
        key = tensor.untyped_storage()._cdata
        if key not in self._storages:
            count = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._storages[key] = torch.empty(count, dtype=tensor.dtype, device="meta")
        twin = self._storages[key]
        if twin.dtype != tensor.dtype:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        return twin.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

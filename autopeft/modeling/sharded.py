"""A model whose parameters are divided over the processes of a group: torch's FSDP2, one unit a layer.

Every parameter is sharded, the frozen base's too; a layer is gathered when it runs (arXiv:2304.11277 sections 3 and 4).
The optimizer is made of the shards. What is written down is whole: see `whole` and `shared_like`.
"""

from peft import PeftModel
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from autopeft.modeling.layers import repeated_layers


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Divide the model's parameters over the mesh; each layer goes to the device alone before it is cut.

    Args:
        model: as `wrap` gave it, the same in every process; changed. Its parameters may share memory with others,
            which stay as they are.
        mesh: of one dimension.

    Raises:
        ValueError: a parameter is a scalar, which cannot be divided.
    """
    for layer in repeated_layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    if isinstance(model, PeftModel) and hasattr(model, "generate"):
        register_fsdp_forward_method(model, "generate")


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` has been at it."""
    return isinstance(model, FSDPModule)


def let_go(model: nn.Module) -> None:
    """Give back what a forward pass without a backward one left gathered: parameters are shards again."""
    if isinstance(model, FSDPModule):
        model.reshard()


def whole(tensor: Tensor) -> Tensor:
    """The tensor as it would be undivided; where it is divided, every process of the group must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_like(value: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor, cut and placed as `pattern` is; nothing is sent, since every process has the value.

    Args:
        value: the same in every process.
        pattern: plain, or a parameter of a sharded model.
    """
    if not isinstance(pattern, DTensor):
        return value.to(pattern.device)
    placed = value.to(pattern.device)
    return distribute_tensor(placed, pattern.device_mesh, pattern.placements, src_data_rank=None)

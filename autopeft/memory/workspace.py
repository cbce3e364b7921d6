"""Memory that CUDA libraries take beside tensors: cuBLAS's workspaces, through PyTorch's caching allocator.

PyTorch hands cuBLAS one workspace for each pair of handle and stream, and each thread has a handle of its own: the one
that runs the forward pass makes the first workspace, autograd's device thread the second. Both live to the end of the
process and count in `torch.cuda.memory_allocated()`. Sizes: aten/src/ATen/cuda/CublasHandlePool.cpp (torch 2.4 to
2.13), `parseChosenWorkspaceSize`, where the environment variable CUBLAS_WORKSPACE_CONFIG is not set; cuBLASLt shares
them. Measurements show them: full fine-tuning of Mistral-7B peaks at 10 bytes for each parameter and 17.5 MB
(`search_spaces/evidence/fms_a100_measured.csv`).
"""

from typing import Final

_KIB = 1024
# Two buffers of 4096 KiB and eight of 16 KiB.
CUBLAS_WORKSPACE_BYTES: Final = (2 * 4096 + 8 * 16) * _KIB
# Compute capability 9, 10 and 12.
CUBLAS_WORKSPACE_BYTES_FROM_HOPPER: Final = 32 * _KIB * _KIB
_FROM_HOPPER = (9, 10, 12)


def cublas_workspace_bytes(compute_capability: tuple[int, int] | None = None) -> int:
    """Bytes of one cuBLAS workspace.

    Args:
        compute_capability: of the GPU, such as (8, 9); None for those before Hopper.
    """
    if compute_capability is not None and compute_capability[0] in _FROM_HOPPER:
        return CUBLAS_WORKSPACE_BYTES_FROM_HOPPER
    return CUBLAS_WORKSPACE_BYTES

"""The device's memory around a trial: held to a budget, asked for its peak, given back after a failure."""

import gc

import torch


def hold_to_budget(device: torch.device, budget_bytes: int | None, context_bytes: int) -> None:
    """Let this process reserve no more than the budget, where the device has more; does nothing on a CPU.

    So a trial that needs more than was predicted fails here as it would on the device that is meant.

    Args:
        device: that trains.
        budget_bytes: what training may use, or None for all.
        context_bytes: of it, taken by the device's context, which the allocator does not see.
    """
    if device.type != "cuda" or budget_bytes is None:
        return
    total_bytes = torch.cuda.get_device_properties(device).total_memory
    room_bytes = max(0, budget_bytes - context_bytes)
    if room_bytes < total_bytes:
        torch.cuda.set_per_process_memory_fraction(room_bytes / total_bytes, device)


def best_device() -> torch.device:
    """Of this machine, what training takes: a CUDA device where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_capability(device: torch.device) -> tuple[int, int] | None:
    """NVIDIA's number of a GPU's generation, such as (8, 9); None on a CPU."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def most_reserved_bytes(device: torch.device) -> int | None:
    """The most that the allocator has reserved; None on a CPU, which does not tell."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None


def release_memory(device: torch.device) -> None:
    """Give back what a failed attempt left behind."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)

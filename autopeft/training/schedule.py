"""The learning rate as a pure function of the step, so that a resumed trial goes on exactly."""

from collections.abc import Iterable
from typing import Any


def learning_rate_scale(step: int, full_steps: int, warmup_share: float) -> float:
    """The factor for optimizer step `step` (from 0): linear warm-up, then linear decay to 0 at `full_steps`.

    Source: the survey authors' protocol, linear schedule with 6 % warm-up (run_grid_search.py).
    """
    warmup_steps = warmup_share * full_steps
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return max(0.0, (full_steps - step) / max(1.0, full_steps - warmup_steps))


def set_learning_rate(param_groups: Iterable[dict[str, Any]], base_rate: float, scale: float) -> None:
    """Set every group's rate; a group's `rate_factor` (1 by default) multiplies it."""
    for group in param_groups:
        group["lr"] = base_rate * scale * group.get("rate_factor", 1.0)

"""What a plan of `recommend --save` asks of `search`."""

from pathlib import Path
from typing import Any

from autopeft.catalog.plan_file import read_plan


def options_of_plan(path: str | Path, base_precision: str | None = None) -> dict[str, Any]:
    """The options of `search` that a plan sets, by name.

    A search holds one base. Where the user does not say how, it is the first candidate's, and candidates on another
    are left out; else all candidates are searched on the base that was asked for.

    Args:
        path: of the file.
        base_precision: of `search`, where the user names one.

    Raises:
        CatalogError: the plan cannot be read.
    """
    plan = read_plan(Path(path))
    layout = base_precision or plan.candidates[0].quantization
    usable = [one for one in plan.candidates if base_precision or one.quantization == layout]
    return {
        "model": plan.model,
        "task": plan.task,
        "gpu_mem": plan.gpu_mem_bytes,
        "batch_size": plan.batch_size,
        "max_length": plan.max_length,
        "base_precision": layout,
        "methods": tuple(one.method for one in usable),
        "starts": {one.method: dict(one.start) for one in usable},
    }

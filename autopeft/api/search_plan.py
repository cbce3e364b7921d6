"""What a plan of `recommend --save` asks of `search`."""

from pathlib import Path
from typing import Any

from autopeft.catalog.plan_file import read_plan
from autopeft.errors import UsageError


def options_of_plan(path: str | Path) -> dict[str, Any]:
    """The options of `search` that a plan sets, by name.

    Candidates on a quantised base are left out: the search trains on none.

    Args:
        path: of the file.

    Raises:
        CatalogError: the plan cannot be read.
        UsageError: none of its candidates can be searched.
    """
    plan = read_plan(Path(path))
    usable = [one for one in plan.candidates if one.quantization is None]
    if not usable:
        raise UsageError(
            f"every candidate of {path} trains on a quantised base, and the search trains on none",
            hint="`autopeft recommend --export DIR` writes a script that does",
        )
    return {
        "model": plan.model,
        "task": plan.task,
        "gpu_mem": plan.gpu_mem_bytes,
        "batch_size": plan.batch_size,
        "max_length": plan.max_length,
        "methods": tuple(one.method for one in usable),
        "starts": {one.method: dict(one.start) for one in usable},
    }

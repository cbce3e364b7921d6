"""A plan on disk: what `recommend --save` writes and `search --plan` takes."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from autopeft.catalog.problems import BrokenFileError, Problem
from autopeft.catalog.schema import Strict, problems_of
from autopeft.catalog.source_file import read_source_file
from autopeft.domain.knobs import Value
from autopeft.errors import CatalogError

_HEADING = "# Written by autopeft recommend. Edit it as you like; `autopeft search --plan FILE --dataset D` takes it.\n"
Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


class PlannedCandidate(Strict):
    """A method and how to start it.

    Attributes:
        method: id.
        start: starting hyperparameters.
        micro_batch_size: sequences in a forward pass.
        accumulation: forward passes in an optimizer step.
        gradient_checkpointing: whether activations are recomputed.
        dtype: of the base's weights.
        quantization: of the base, or None.
    """

    method: Name
    start: dict[str, Value]
    micro_batch_size: Count
    accumulation: Count
    gradient_checkpointing: bool
    dtype: Name
    quantization: Name | None = None


class PlanFile(Strict):
    """What to train, and the candidates in the order in which to try them.

    Attributes:
        model: hub id or path.
        task: id.
        gpu_mem_bytes: what training may use, or None.
        batch_size: sequences in an optimizer step.
        max_length: tokens in a sequence.
        candidates: the best first.
    """

    model: Name
    task: Name
    gpu_mem_bytes: Count | None = None
    batch_size: Count
    max_length: Count
    candidates: Annotated[list[PlannedCandidate], Field(min_length=1)]


def plan_text(plan: PlanFile) -> str:
    """The plan as YAML."""
    return _HEADING + yaml.safe_dump(plan.model_dump(), sort_keys=False, allow_unicode=True, width=110)


def read_plan(path: Path) -> PlanFile:
    """The plan in a file.

    Raises:
        CatalogError: it cannot be read; says file, line and field.
    """
    try:
        file = read_source_file(path, str(path))
    except BrokenFileError as error:
        raise _refusal([error.problem]) from None
    try:
        return PlanFile.model_validate(file.values)
    except ValidationError as error:
        raise _refusal(problems_of(error, file)) from None


def _refusal(problems: list[Problem]) -> CatalogError:
    lines = "\n".join(str(problem) for problem in sorted(set(problems)))
    return CatalogError(lines, hint="mend the plan, or write it anew with `autopeft recommend --save`")

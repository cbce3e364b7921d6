"""What is kept of a recommendation: a plan for `search`, or files that train without autopeft's search."""

from pathlib import Path

from autopeft.catalog.plan_file import PlanFile, PlannedCandidate, plan_text
from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.errors import NothingFitsError, UsageError

# As many as a search of an hour or two gets round to at their starting values.
MOST_PLANNED = 8


def save_plan(answer: Recommendation, path: Path) -> list[str]:
    """Write the first candidates as a plan; what was written, in words.

    Raises:
        NothingFitsError: there is no candidate.
        UsageError: the file cannot be written.
    """
    candidates = [_planned(one) for one in answer.candidates[:MOST_PLANNED]]
    if not candidates:
        raise NothingFitsError("there is no candidate to plan with", hint="give more memory, or a shorter --max-length")
    sequences = int(answer.facts["batch_size"])
    plan = PlanFile(
        model=answer.model,
        task=answer.task,
        gpu_mem_bytes=answer.budget_bytes,
        batch_size=sequences,
        max_length=int(answer.facts["max_length"]),
        candidates=candidates,
    )
    write_text(path, plan_text(plan))
    return [f"plan with {len(candidates)} candidates: {path}", f"next: autopeft search --plan {path} --dataset DATA"]


def write_text(path: Path, text: str) -> None:
    """Write a file, and the folders on the way to it.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="name another place") from None


def _planned(one: Candidate) -> PlannedCandidate:
    return PlannedCandidate(
        method=one.method,
        start=dict(one.start),
        micro_batch_size=one.shape.batch_size,
        accumulation=one.shape.accumulation,
        gradient_checkpointing=one.shape.gradient_checkpointing,
        dtype=one.shape.dtype,
        quantization=one.shape.quantization,
    )

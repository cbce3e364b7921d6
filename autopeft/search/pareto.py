"""The trials that nothing beats in every objective: `pareto` of result.json."""

from typing import Any

from autopeft.search.context import SearchContext
from autopeft.search.objectives import UNKNOWN, front_numbers, values_at


def pareto(context: SearchContext) -> dict[str, Any] | None:
    """The front of those trials that got furthest, the first objective's best first; None with a single objective."""
    objectives = context.request.objectives
    records = [folder.record() for folder in context.run.trials()]
    scored = [record for record in records if record.slices and record.state not in ("failed", "oom")]
    if len(objectives) < 2 or not scored:
        return None
    step = max(record.steps_done for record in scored)
    peers = [record for record in scored if record.steps_done == step]
    values = [values_at(record, step, objectives) for record in peers]
    ranks = front_numbers(values)
    front = sorted(
        (value, record.spec.number) for value, record, rank in zip(values, peers, ranks, strict=True) if not rank
    )
    return {
        "objectives": list(objectives),
        "step": step,
        "front": [
            {"trial": number, "values": {name: _known(one) for name, one in zip(objectives, value, strict=True)}}
            for value, number in front
        ],
    }


def _known(value: float) -> float | None:
    return None if value == UNKNOWN else value

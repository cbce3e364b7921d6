"""`search --dry-run`: the plan of a search, and what its budget buys, without training more than a few timed steps."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from autopeft.api.budgeting import confirm_runs
from autopeft.api.groundwork import Groundwork, lay_groundwork
from autopeft.api.search import request_of
from autopeft.domain.plan import SECONDS_PER_HOUR, SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer, Silent
from autopeft.domain.trials import Split
from autopeft.search.costs import CONFIRM_SHARE
from autopeft.search.forecast import forecast
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, write_json
from autopeft.search.sampler import Proposal

# float32 values of a trainable parameter in a checkpoint: itself and AdamW's two moments.
CHECKPOINT_BYTES_A_PARAMETER = 12


def plan_search(*, observer: Observer | None = None, **asked: Any) -> dict[str, Any]:
    """What `search` would do, given the same options; nothing is kept on disk.

    Args:
        observer: is told of the progress.
        asked: options of `autopeft.api.search.search`; `output` and `stop` make no difference.

    Returns:
        `asked`, `plan`, `methods`, `excluded`, `trials`, `confirm`, `disk_bytes`, `money`: plain values, see
        docs/howto/spend-a-budget.md.

    Raises:
        AutopeftError: whatever would keep the search from beginning.
    """
    started = time.monotonic()
    request, source = request_of(asked)
    request = replace(request, storage=None)  # a plan of one's own: nothing is written to a database
    with tempfile.TemporaryDirectory(prefix="autopeft-dry-run-") as folder:
        run = RunDirectory.create(Path(folder) / "run")
        write_json(run.path / "plan.json", {"request": request.to_dict()})
        ledger = Ledger(run.path / "ledger.json", clock=time.monotonic, started=started, timestamp="")
        ground = lay_groundwork(run, request, source, ledger, observer or Silent())
        return _outline(request, ground, ledger.spent_seconds)


def _outline(request: SearchRequest, ground: Groundwork, spent_seconds: float) -> dict[str, Any]:
    plan = ground.worker.plan
    methods = [_method(ground, start) for start in ground.choice.starts]
    expected = forecast(request, plan, spent_seconds)
    checkpoint = max(one["checkpoint_bytes"] for one in methods)
    runs = confirm_runs(request)
    device_seconds = None if expected.seconds is None else expected.seconds * request.slots * request.ranks
    price = request.price_per_hour
    return {
        "asked": request.to_dict(),
        "task": ground.subject.task.id,
        "rows": dict(ground.loaded.encoded.rows),
        "max_length": ground.loaded.encoded.max_length,
        "device": str(ground.worker.device),
        "plan": _plan(plan),
        "methods": methods,
        "excluded": list(ground.choice.excluded),
        "trials": expected.trials,
        "slices": expected.slices,
        "confirm": {"runs": runs, "share": CONFIRM_SHARE},
        "seconds": expected.seconds,
        "tokens": round((expected.steps + runs * plan.full_steps) * plan.step_tokens),
        # Each paused trial keeps one checkpoint, a running one two for a moment; the winner its adapter.
        "disk_bytes": checkpoint * (expected.trials + runs + request.slots),
        "money": None if price is None or device_seconds is None else device_seconds / SECONDS_PER_HOUR * price,
    }


def _plan(plan: TrainingPlan) -> dict[str, Any]:
    shown = ("batch_size", "full_steps", "rung_steps", "rung_rows", "seeds", "autocast", "step_seconds")
    return {name: plan.to_dict()[name] for name in shown} | {"step_tokens": plan.step_tokens}


def _method(ground: Groundwork, start: Proposal) -> dict[str, Any]:
    split = ground.pricing.split(start) or Split()
    estimate = ground.pricing.estimate(start, split)
    return {
        "method": start.method,
        "title": ground.worker.methods[start.method].title,
        "start": dict(start.hyperparameters),
        "trainable_parameters": estimate.trainable_parameters,
        "peak_bytes": estimate.peak_bytes,
        "reserved_bytes": estimate.reserved_bytes,
        "accumulation": split.accumulation,
        "gradient_checkpointing": split.gradient_checkpointing,
        "checkpoint_bytes": CHECKPOINT_BYTES_A_PARAMETER * estimate.trainable_parameters,
    }

"""The budgets of a search and where they went: `budget` of result.json. What the workers did adds up to their time."""

from typing import Any

from autopeft.domain.plan import SECONDS_PER_HOUR
from autopeft.domain.trials import TrialRecord
from autopeft.search.confirm_stage import saved_entries
from autopeft.search.context import SearchContext
from autopeft.search.costs import CONFIRM_SHARE
from autopeft.search.disk import used_bytes


def accounts(context: SearchContext) -> dict[str, Any]:
    """`budget` of result.json, from what is on disk and in the ledger."""
    request, plan = context.request, context.plan
    trials = [folder.record() for folder in context.run.trials()]
    steps = sum(folder.record().steps_done for folder in context.run.all_folders())
    ledger = context.ledger.to_dict()
    worker_seconds = ledger["worker_seconds"]
    price = request.price_per_hour
    return {
        "budget_seconds": request.budget_seconds,
        "limits": {
            "wall_seconds": request.budget_seconds,
            "trials": request.trials,
            "device_seconds": request.device_seconds,
            "tokens": request.tokens,
            "money": request.money,
            "disk_bytes": request.disk_bytes,
            "trial_seconds": request.trial_seconds,
        },
        "full_steps": plan.full_steps,
        "rung_steps": list(plan.rung_steps),
        "confirm_share": CONFIRM_SHARE,
        "scheduler": request.scheduler,
        "sampler": request.sampler,
        "workers": request.slots,
        **ledger,
        "work": _work(context, trials, ledger["work"], worker_seconds),
        "proposed_trials": len(trials),
        "tokens": round(steps * plan.step_tokens),
        "price_per_hour": price,
        "money": None if price is None else worker_seconds * request.ranks / SECONDS_PER_HOUR * price,
        "disk_bytes": used_bytes(context.run.path),
    }


def _work(
    context: SearchContext, trials: list[TrialRecord], kinds: dict[str, float], worker_seconds: float
) -> dict[str, float]:
    """Worker seconds by what became of them; `overhead` is whatever else the workers were held for."""
    chosen = {entry.trial for entry in saved_entries(context) or ()}
    left = [record for record in trials if record.spec.number not in chosen]
    paused = min(kinds["search"], sum(piece.wall_seconds for record in left for piece in record.slices))
    parts = {
        "continued": kinds["search"] - paused,
        "paused": paused,
        "confirm": kinds["confirm"],
        "controls": kinds["controls"],
        "wasted": kinds["wasted"],
    }
    return parts | {"overhead": worker_seconds - sum(parts.values())}

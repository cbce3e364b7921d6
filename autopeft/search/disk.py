"""How a run directory is kept within a limit: the paused trials that look worst give up their checkpoints."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from autopeft.domain.trials import TrialRecord
from autopeft.search.context import SearchContext
from autopeft.search.scheduler import ranking
from autopeft.training.checkpoint import prune_checkpoints

REASON = "its checkpoint was given up to stay within --max-disk"


def used_bytes(folder: Path) -> int:
    """Bytes of all files under a folder; what vanishes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def make_room(context: SearchContext, records: Sequence[TrialRecord], busy: frozenset[int]) -> bool:
    """See that every worker can write one more checkpoint; False where that cannot be had.

    Args:
        context: with the limit.
        records: all trials; those that give up their checkpoint become `stopped`.
        busy: trials whose checkpoint is in use.
    """
    victims = [
        record
        for record in ranking(records, context.request.objectives)[context.request.top :]
        if record.state == "paused" and record.spec.number not in busy
    ]
    while not has_room(context):
        if not victims:
            return False
        victim = victims.pop()
        folder = context.run.trial(victim.spec.number)
        folder.stop(REASON)
        victim.state = "stopped"
        prune_checkpoints(folder.checkpoint, None)
    return True


def has_room(context: SearchContext) -> bool:
    """Whether every worker can write one more checkpoint; a trial's next one is written before its last one goes."""
    limit = context.request.disk_bytes
    if limit is None:
        return True
    return used_bytes(context.run.path) + context.request.slots * _largest_checkpoint_bytes(context) <= limit


def _largest_checkpoint_bytes(context: SearchContext) -> int:
    sizes = [path.stat().st_size for path in context.run.path.glob("*/*/checkpoint/*.safetensors")]
    return max(sizes, default=0)

"""The moment at which a slice becomes part of the run."""

from autopeft.domain.trials import SliceResult, TrialRecord, after_slice
from autopeft.search.run_directory import TrialFolder
from autopeft.training.checkpoint import prune_checkpoints


def keep_slice(folder: TrialFolder, record: TrialRecord, result: SliceResult) -> None:
    """Commit a slice to disk, then to the record; older checkpoints go only after that."""
    folder.commit(result)
    record.spec = after_slice(record.spec, result)
    if result.error is None:
        record.slices.append(result)
        record.state = "paused"
        prune_checkpoints(folder.checkpoint, result.to_step)
    else:
        record.state = result.failure or "failed"
        # The last good state stays: where nothing better is left, it is what gets tested.
        prune_checkpoints(folder.checkpoint, record.steps_done)

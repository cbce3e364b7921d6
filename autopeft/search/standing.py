"""How the trials of a search stand: for whoever watches it; nothing is decided by it."""

from collections.abc import Collection, Sequence
from statistics import median

from autopeft.domain.progress import Standing
from autopeft.domain.trials import TrialRecord

_NORMAL_95 = 1.96


def standing(records: Sequence[TrialRecord], busy: Collection[int], full_steps: int) -> Standing:
    """Count trials by what becomes of them, and say what their slices took.

    Args:
        records: of the search's trials.
        busy: numbers of those that train now; others too may, beside them, that have no number here.
        full_steps: optimizer steps of a full-length run.
    """
    resting = [one for one in records if one.spec.number not in busy]
    failed = sum(one.state in ("failed", "oom") for one in resting)
    done = sum(one.state == "stopped" or one.steps_done >= full_steps for one in resting)
    slices = [piece for one in records for piece in one.slices]
    peaks = [piece.measured_peak_bytes for piece in slices if piece.measured_peak_bytes]
    return Standing(
        running=len(busy),
        paused=sum(one.state == "paused" and one.steps_done < full_steps for one in resting),
        done=done,
        failed=failed,
        slice_seconds=median([piece.wall_seconds for piece in slices]) if slices else None,
        step_peak_bytes=max(peaks, default=None),
    )


def best_in_words(best: TrialRecord, metric: str) -> str:
    """A trial's loss and metric at its last rung, each with half of its 95 % interval over the rows."""
    last = best.slices[-1]
    loss = _with_interval(best.loss, last.validation_loss_standard_error)
    figure = _with_interval(last.validation_metric, last.validation_metric_standard_error)
    shown = f", {metric} {figure}" if figure else ""
    return f"trial {best.spec.number} {best.spec.method}: loss {loss}{shown} at step {best.steps_done}"


def _with_interval(value: float | None, standard_error: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" + (f" ± {_NORMAL_95 * standard_error:.3f}" if standard_error is not None else "")

"""TensorBoard: event files in the run directory, a folder for each training run, one for the search."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autopeft.domain.callbacks import Callback, SliceEnded
from autopeft.tracking import content

PACKAGES = ("tensorboard",)
FOLDER = "tensorboard"


def opened(run: Path, note: Callable[[str], None]) -> Callback:
    """The tracker of a run directory."""
    note(f"tensorboard --logdir {run / FOLDER}")
    return _TensorBoard(run / FOLDER)


class _TensorBoard:
    """See `Callback`; a resumed run adds files to its folders, which TensorBoard reads as one."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open: Callable[[str], Any] = lambda key: SummaryWriter(str(folder / key), flush_secs=10)

    def slice_ended(self, ended: SliceEnded) -> None:
        """The curve of the slice."""
        with self._open(ended.key) as writer:
            for step, figures in content.curve_of(ended):
                for name, value in figures.items():
                    writer.add_scalar(name, value, step)
            if ended.result.error:
                writer.add_text("error", ended.result.error)

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """Hyperparameters beside what each run ended with; what was asked, the figures and the report."""
        for key, trial in content.trials_of(result).items():
            known = {"method": trial["method"], "state": trial["state"], **trial["hyperparameters"]}
            last = content.finite({f"last/{name}": one for name, one in _last_rung(trial).items()})
            with self._open(key) as writer:
                writer.add_hparams(known, last, run_name=".")
        with self._open("search") as writer:
            writer.add_hparams(content.asked_of(result), content.figures_of(result), run_name=".")
            for path in content.files_in(run, ("report.md", "leaderboard.csv")):
                writer.add_text(path.name, path.read_text("utf-8"))


def _last_rung(trial: Mapping[str, Any]) -> dict[str, float | None]:
    """Losses and metric where the trial ended; nothing where it never came to a rung."""
    last = trial["rungs"][-1] if trial["rungs"] else {}
    return {name: last.get(name) for name in ("step", "validation_loss", "validation_metric")}

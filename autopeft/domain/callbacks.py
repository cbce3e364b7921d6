"""What a search tells those who keep its curves and results: callbacks of a user, and experiment trackers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autopeft.domain.trials import SliceResult, TrialSpec


@dataclass(frozen=True, slots=True)
class SliceEnded:
    """A slice of a trial that ended and was kept.

    Attributes:
        key: of the training run that it belongs to, the same for all its slices and after a resume:
            `trials/0007`, or `confirm/control-lora-seed-1`.
        stage: `search`, `confirm` or `controls`.
        spec: what is trained: method, hyperparameters, seed; a control's number is negative.
        result: losses, metric, seconds, memory; `error` where the slice failed.
        folder: of the training run, with its `spec.json` and `events.jsonl`.
    """

    key: str
    stage: str
    spec: TrialSpec
    result: SliceResult
    folder: Path


class Callback(Protocol):
    """Is told of a search's slices and of its end, in the order in which they happen; must not change them.

    What a callback raises is noted, and it is told nothing more: it never ends a search.
    """

    def slice_ended(self, ended: SliceEnded) -> None:
        """A slice ended, and lies in its folder.

        Args:
            ended: `key` and `folder` of the training run, `stage`, `spec` (number, method, hyperparameters, seed) and
                `result` (to_step, train_losses, validation_loss, validation_metric, wall_seconds, error, ...).
        """
        ...

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """The search ended or was interrupted, and its report is written.

        Args:
            result: the content of result.json (docs/result-schema.md).
            run: the run directory.
        """
        ...

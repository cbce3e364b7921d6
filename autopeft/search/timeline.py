"""When each slice ran, and at which of the places that run at a time: for the report; nothing is decided by it."""

import json
from pathlib import Path
from typing import Any

from autopeft.domain.trials import TrialSpec
from autopeft.errors import RunError

TIMELINE = "timeline.jsonl"
"""Name of the file in a run directory."""


class Timeline:
    """The slices of a run, a line each in `timeline.jsonl`.

    Args:
        path: the file; a torn last line, left by a kill, is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running: dict[Path, tuple[int, float]] = {}

    def begin(self, folder: Path, spent_seconds: float) -> None:
        """A slice of the trial in `folder` starts, at the lowest place that is free."""
        taken = {place for place, _ in self._running.values()}
        free = next(place for place in range(len(taken) + 1) if place not in taken)
        self._running[folder] = (free, spent_seconds)

    def end(self, folder: Path, spent_seconds: float, *, stage: str, spec: TrialSpec, to_step: int) -> None:
        """It has ended.

        Args:
            folder: as it began.
            spent_seconds: on the ledger's clock, as at the beginning.
            stage: search, confirm or controls.
            spec: what was trained; a negative number is a control's.
            to_step: optimizer steps done in all.

        Raises:
            RunError: the disk is full or not writable.
        """
        place, started = self._running.pop(folder)
        run = f"trial {spec.number}" if spec.number >= 0 else f"control {spec.method}"
        piece = {
            "worker": f"worker {place}",
            "name": run if stage == "search" else f"{run} seed {spec.seed}",
            "trial": spec.number if spec.number >= 0 else None,
            "stage": stage,
            "to_step": to_step,
            "started_seconds": started,
            "seconds": spent_seconds - started,
        }
        try:
            with open(self._path, "a", encoding="utf-8") as stream:
                # A kill may have left half a line: every piece begins a new one.
                stream.write("\n" + json.dumps(piece) + "\n")
        except OSError as error:
            message = f"cannot write {self._path}: {error.strerror}"
            raise RunError(message, hint="make room, then `autopeft resume`") from error

    def pieces(self) -> list[dict[str, Any]]:
        """All slices that ended, in that order: `timeline` of result.json."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return [piece for piece in found if isinstance(piece, dict)]

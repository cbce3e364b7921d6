"""A long search in one process tree: do memory, open files and storage stay what they were?

    python -m benchmarks.soak stub [--trials 2000]
    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.soak real [--trials 300]

`stub` runs the search stage over made-up slices, with the real sampler, scheduler, ledger, timeline and SQLite study;
`real` is a search of the tiny BERT on CoLA with one worker process. Every few trials the resident memory of the search
and of its worker, their open files, and the bytes on disk are read. Growth counts from the first tenth on. Writes the
curves to `soak.json` as they grow, and the table of `reliability.md`.
"""

import argparse
import gc
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from autopeft.api.search import search
from autopeft.domain.progress import Progress
from autopeft.domain.trials import SliceResult
from autopeft.execution.protocol import SliceTask
from autopeft.search.disk import used_bytes
from autopeft.search.search_stage import search_stage
from autopeft.search.storage import StudyMirror
from autopeft.training.checkpoint import checkpoint_path
from tests.stub_search import METHODS, learn, stub_context

FIGURES = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_name("reliability.md")
MARKS = ("<!-- soak -->", "<!-- /soak -->")
POINTS = 100
SIZES = {
    "batch_size": 8,
    "full_steps": 12,
    "max_train_rows": 96,
    "max_evaluation_rows": 48,
    "max_length": 16,
    "threads": 1,
    "top": 1,
    "confirm_seeds": 1,
}
CHECKPOINT_BYTES = 20_000


class Soak:
    """Reads what a search holds, every so many trials.

    Args:
        name: of the soak.
        trials: that there will be.
        run: the run directory.
    """

    def __init__(self, name: str, trials: int, run: Path) -> None:
        self._name = name
        self._trials = trials
        self._run = run
        self._points: list[dict[str, int]] = []

    def read(self, started: int) -> None:
        """A point of the curves, where it is time for one."""
        if started < (len(self._points) + 1) * self._trials / POINTS:
            return
        gc.collect()
        worker = next(iter(_children()), None)
        self._points.append(
            {
                "trials": started,
                "parent_bytes": _resident_bytes(os.getpid()),
                "parent_files": _open_files(os.getpid()),
                "worker_bytes": _resident_bytes(worker) if worker else 0,
                "worker_files": _open_files(worker) if worker else 0,
                "study_bytes": (self._run / "study.db").stat().st_size,
                "run_bytes": used_bytes(self._run),
            }
        )
        known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        known[self._name] = {"trials_asked": self._trials, "points": self._points}
        text = json.dumps(known, indent=None, separators=(",", ":"))
        FIGURES.write_text(text.replace("},{", "},\n{") + "\n")
        _write_table(_markdown(known))


def _children() -> list[int]:
    text = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return [int(one) for one in text.split()]


def _resident_bytes(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _open_files(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def soak_stub(trials: int, folder: Path) -> None:
    soak = Soak("stub", trials, folder / "run")

    def run_slice(task: SliceTask) -> SliceResult:
        checkpoint_path(task.folder / "checkpoint", task.to_step).write_bytes(b"0" * CHECKPOINT_BYTES)
        soak.read(task.spec.number)
        return learn(task)

    context = stub_context(folder / "run", run_slice, trials=trials)
    context = replace(context, study=lambda: StudyMirror(folder / "run" / "study.db", METHODS))
    search_stage(context)


def soak_real(trials: int, folder: Path) -> None:
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    soak = Soak("real", trials, folder / "run")

    def observe(progress: Progress) -> None:
        if progress.stage == "search" and progress.trials_started:
            soak.read(progress.trials_started)

    search(
        model=str(material / "models" / "minilm-tiny-distilled"),
        train=str(material / "data" / "cola"),
        methods=["lora", "bitfit", "ia3"],
        trials=trials,
        workers=1,
        output=folder / "run",
        observer=observe,
        **SIZES,
    )


def _markdown(known: dict[str, Any]) -> str:
    head = "| soak | trials | what | after the first tenth | at the end | growth |"
    rows = [head, "| --- | ---: | --- | ---: | ---: | ---: |"]
    for name, soak in known.items():
        points = soak["points"]
        first = min(len(points) - 1, POINTS // 10 - 1)
        begun = points[first]
        for what in ("parent_bytes", "parent_files", "worker_bytes", "worker_files"):
            if points[-1][what]:
                rows.append(_row(name, what, begun, points[-1]))
        for what in ("study_bytes", "run_bytes"):
            each = [(one[what] - begun[what]) / max(1, one["trials"] - begun["trials"]) for one in points]
            middle = each[(first + len(points)) // 2]
            shown = f"| {name} | {points[-1]['trials']} | {what} a trial, to the middle and to the end "
            rows.append(shown + f"| {middle:,.0f} | {each[-1]:,.0f} | {each[-1] / max(1.0, middle) - 1:+.1%} |")
    return "\n".join(rows)


def _row(name: str, what: str, begun: dict[str, int], last: dict[str, int]) -> str:
    growth = last[what] / begun[what] - 1
    return f"| {name} | {last['trials']} | {what} | {begun[what]:,} | {last[what]:,} | {growth:+.1%} |"


def _write_table(text: str) -> None:
    """Put the table between its marks; whatever else the page says stays."""
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


SOAKS: dict[str, tuple[Callable[[int, Path], None], int]] = {"stub": (soak_stub, 2000), "real": (soak_real, 300)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name", choices=sorted(SOAKS))
    parser.add_argument("--trials", type=int)
    chosen = parser.parse_args()
    run, count = SOAKS[chosen.name]
    with tempfile.TemporaryDirectory() as place:
        run(chosen.trials or count, Path(place))

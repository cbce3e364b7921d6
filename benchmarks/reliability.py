"""A small search killed at random moments and resumed: is it the search that nobody disturbed?

    AUTOPEFT_MATERIAL=<folder> python -m benchmarks.reliability [--cases 30] [--seconds 720] [--more]

Each case starts the search of `SEARCH` with one worker process from the command line, kills the search, its worker or
both with SIGKILL at a moment drawn from the case's number (so many slices begun, and a wait), and resumes it. Finished
trials, every number that no clock measured, and the winner's adapter byte for byte are compared with those of a run
that was left alone. A slice counts as repeated when it was begun once more, by the lines that a search prints. Stops
after the case during which the seconds have passed; `--more` goes on with the next case of reliability.json. Writes
that and the table of reliability.md, whose other parts stay as they are.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# No run may depend on those before it.
os.environ["AUTOPEFT_HISTORY"] = "off"

HERE = Path(__file__).parent
FIGURES = HERE / "reliability.json"
WHO = ("parent", "worker", "both")
TRIALS = 6
WORKERS = 1
SEARCH = (
    "--methods=lora,bitfit,houlsby,ia3",
    f"--trials={TRIALS}",
    f"--workers={WORKERS}",
    "--seed=5",
    "--batch-size=8",
    "--full-steps=45",
    "--max-train-rows=400",
    "--max-evaluation-rows=120",
    "--threads=1",
)
MEASURED_BY_A_CLOCK = {"seconds", "train_seconds", "seconds_per_step", "evaluation_row_seconds"}
COMPARED = ("trials", "confirmed", "baselines", "verdict", "seeds", "metric", "data")
SLICE_SECONDS = 1.0
LOADING_SECONDS = 12.0
LONGEST_SECONDS = 1500.0
WORKER_END_SECONDS = 60.0
MARKS = ("<!-- kills -->", "<!-- /kills -->")


@dataclass(frozen=True, slots=True)
class Case:
    """What became of one kill.

    Attributes:
        number: of the case; the moment is drawn from it.
        who: was killed.
        begun: slices that the search had begun when the wait began; with 0 it began with the plan, or with the worker
            that is killed.
        after_seconds: of waiting.
        stage: `loading`, `search`, `confirm` or `test`, by what the search had printed last; `ended` where it was over.
        slices_kept: finished slices on disk at that moment.
        went_on: whether the search went on by itself.
        worker_left: whether a worker outlived its search by a minute.
        kept_intact: whether every slice that was kept is still there as it was.
        repeated: slices that were begun more than once.
        same_trials: whether the trials are those of the undisturbed run, all finished.
        same_numbers: whether everything compared, adapter included, is equal.
        error: what went wrong, or empty.
    """

    number: int
    who: str
    begun: int
    after_seconds: float
    stage: str
    slices_kept: int
    went_on: bool
    worker_left: bool
    kept_intact: bool
    repeated: int
    same_trials: bool
    same_numbers: bool
    error: str

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        kept = self.kept_intact and self.same_trials and self.same_numbers and not self.worker_left
        return kept and not self.error and self.repeated <= WORKERS


def main(cases: int, seconds: float, *, more: bool) -> None:
    began = time.monotonic()
    earlier: dict[str, Any] = json.loads(FIGURES.read_text()) if more else {"wall_seconds": 0, "cases": []}
    done = [Case(**plain) for plain in earlier["cases"]]
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        whole_seconds, slices = _undisturbed(undisturbed)
        while len(done) < cases and time.monotonic() - began < seconds:
            done.append(kill(len(done), Path(folder), undisturbed, slices))
            print(asdict(done[-1]), flush=True)
            figures = {
                "cases_asked": cases,
                "cases_run": len(done),
                "wall_seconds": earlier["wall_seconds"] + round(time.monotonic() - began),
                "undisturbed_seconds": round(whole_seconds, 1),
                "cases": [asdict(case) for case in done],
            }
            FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
            _write_table(_markdown(figures, done))


def kill(number: int, folder: Path, undisturbed: Path, slices: int) -> Case:
    """One case: a search, a kill, what it takes until it is finished, and the comparison."""
    who, run, output = WHO[number % len(WHO)], folder / f"case-{number}", folder / f"case-{number}.log"
    draw = random.Random(number)
    begun = draw.randint(0, slices)
    after = draw.uniform(0.0, SLICE_SECONDS if begun else LOADING_SECONDS)
    process = _start(run, output)
    _wait_for(run, output, process, begun, worker=who != "parent")
    time.sleep(after)
    over = process.poll() is not None
    workers = _workers(process.pid)
    kept, stage = _kept_slices(run), "ended" if over else _stage(output)
    if not over:
        _strike(who, process, workers)
    went_on, error = False, ""
    if who == "worker" and not over:
        went_on = process.wait(timeout=LONGEST_SECONDS) == 0
    process.wait(timeout=LONGEST_SECONDS)
    left = not _all_gone(workers)
    if over and process.returncode:
        error = _last_line(output)
    elif not over and not went_on:
        error = _resume(run, output)
    after_all = _kept_slices(run)
    intact = all(after_all.get(name, [])[: len(lines)] == lines for name, lines in kept.items())
    mine, theirs = _compared(run), _compared(undisturbed)
    return Case(
        number=number,
        who=who,
        begun=begun,
        after_seconds=round(after, 2),
        stage=stage,
        slices_kept=sum(map(len, kept.values())),
        went_on=went_on,
        worker_left=left,
        kept_intact=intact,
        repeated=_repeated(output),
        same_trials=_finished_trials(mine) == _finished_trials(theirs),
        same_numbers=mine == theirs,
        error=error,
    )


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "autopeft", *words]


def _start(run: Path, output: Path) -> "subprocess.Popen[bytes]":
    material = Path(os.environ["AUTOPEFT_MATERIAL"])
    model, data = material / "models" / "minilm-tiny-distilled", material / "data" / "cola"
    command = _command("search", f"--model={model}", f"--dataset={data}", f"--output={run}", *SEARCH)
    with open(output, "ab") as stream:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream)


def _undisturbed(run: Path) -> tuple[float, int]:
    """Seconds that the search took, and its slices."""
    output, began = run.with_suffix(".log"), time.monotonic()
    if _start(run, output).wait(timeout=LONGEST_SECONDS):
        raise SystemExit(output.read_text())
    return time.monotonic() - began, len(_slices_begun(output))


def _wait_for(run: Path, output: Path, process: "subprocess.Popen[bytes]", begun: int, *, worker: bool) -> None:
    """Until the search has written its plan, has started its worker, and has begun so many slices."""
    while process.poll() is None:
        planned = (run / "plan.json").exists() and (not worker or _workers(process.pid))
        if planned and len(_slices_begun(output)) >= begun:
            return
        time.sleep(0.01)


def _strike(who: str, process: "subprocess.Popen[bytes]", workers: Sequence[int]) -> None:
    """Kill; a worker may have ended a moment ago."""
    if who != "parent":
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    if who != "worker":
        process.kill()


def _workers(search: int) -> list[int]:
    """Process ids of a search's workers."""
    try:
        children = Path(f"/proc/{search}/task/{search}/children").read_text().split()
        return [int(one) for one in children if b"autopeft.execution.child" in _command_line(one)]
    except OSError:
        return []


def _command_line(process: str) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _all_gone(processes: Sequence[int]) -> bool:
    deadline = time.monotonic() + WORKER_END_SECONDS
    while not all(map(_gone, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _gone(process: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


def _resume(run: Path, output: Path) -> str:
    """What it said where it did not end well."""
    with open(output, "ab") as stream:
        stream.write(b"--- resumed\n")
        stream.flush()
        done = subprocess.run(
            _command("resume", str(run)), stdout=subprocess.DEVNULL, stderr=stream, timeout=LONGEST_SECONDS
        )
    return "" if done.returncode == 0 else _last_line(output)


def _last_line(output: Path) -> str:
    return next(iter(output.read_text().splitlines()[-1:]), "nothing was printed")


def _kept_slices(run: Path) -> dict[str, list[str]]:
    """Folder of a run -> the whole lines of its events."""
    paths = [*run.glob("trials/*/events.jsonl"), *run.glob("confirm/*/events.jsonl")]
    return {str(path.parent.relative_to(run)): path.read_text().rpartition("\n")[0].splitlines() for path in paths}


def _slices_begun(output: Path) -> list[str]:
    """What a search printed at the beginning of each slice, without its clock and its best so far."""
    lines = [line.partition("] ")[2].partition(";")[0] for line in output.read_text().splitlines()]
    return [line for line in lines if line.startswith(("search:", "confirm:")) and " to step " in line]


def _stage(output: Path) -> str:
    stages = [line.partition("] ")[2].partition(":")[0] for line in output.read_text().splitlines() if "] " in line]
    return stages[-1] if stages else "loading"


def _repeated(output: Path) -> int:
    """Slices begun again by a resumed search, and by a new worker in a dead one's place."""
    again = sum(count - 1 for count in Counter(_slices_begun(output)).values())
    return again + output.read_text().count("a new one takes its place")


def _compared(run: Path) -> dict[str, Any]:
    """Everything of a result that two equal searches share."""
    path = run / "result.json"
    if not path.exists():
        return {}
    result = json.loads(path.read_text())
    adapter = run / "best_adapter" / "adapter_model.safetensors"
    digest = hashlib.sha256(adapter.read_bytes()).hexdigest() if adapter.exists() else None
    return {name: _without_times(result[name]) for name in COMPARED} | {"status": result["status"], "adapter": digest}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(part) for name, part in value.items() if name not in MEASURED_BY_A_CLOCK}
    return [_without_times(part) for part in value] if isinstance(value, list) else value


def _finished_trials(compared: dict[str, Any]) -> list[tuple[int, str]]:
    return [(trial["number"], trial["state"]) for trial in compared.get("trials", [])]


def _markdown(figures: dict[str, Any], cases: Sequence[Case]) -> str:
    struck = [case for case in cases if case.stage != "ended"]
    rows = [_row(who, [case for case in struck if case.who == who]) for who in WHO]
    rows.append(_row("all", struck))
    head = "| killed | cases | whose promise held | went on without `resume` | same trials | same numbers and adapter "
    head += "| kept slices all intact | most slices repeated | workers left behind |"
    stages = Counter(case.stage for case in cases)
    when = ", ".join(f"{name} {count}" for name, count in sorted(stages.items()))
    misses = [f"- {asdict(case)}" for case in cases if not case.holds]
    return "\n".join(
        [
            f"{figures['cases_run']} of {figures['cases_asked']} cases in {figures['wall_seconds']} s; the undisturbed "
            f"search takes {figures['undisturbed_seconds']} s. Stage at the kill: {when} "
            "(`ended` was over before it; such a case is in no row).",
            "",
            head,
            "| --- |" + " ---: |" * 8,
            *rows,
            *(["", "Misses:", "", *misses] if misses else []),
        ]
    )


def _row(who: str, cases: Sequence[Case]) -> str:
    counts = [
        sum(case.holds for case in cases),
        sum(case.went_on for case in cases),
        sum(case.same_trials for case in cases),
        sum(case.same_numbers for case in cases),
        sum(case.kept_intact for case in cases),
        max((case.repeated for case in cases), default=0),
        sum(case.worker_left for case in cases),
    ]
    return f"| {who} | {len(cases)} | " + " | ".join(map(str, counts)) + " |"


def _write_table(text: str) -> None:
    """Put the table between its marks; whatever else the page says stays."""
    page = HERE / "reliability.md"
    before, _, rest = page.read_text().partition(MARKS[0])
    page.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=720.0)
    parser.add_argument("--more", action="store_true")
    chosen = parser.parse_args()
    main(chosen.cases, chosen.seconds, more=chosen.more)

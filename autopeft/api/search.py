"""`search` and `resume`: a budget-limited search over methods and hyperparameters with real short fine-tunes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopeft.api.request import size_bytes
from autopeft.api.run import SearchRun
from autopeft.domain.plan import SearchRequest
from autopeft.domain.progress import Observer, Silent
from autopeft.domain.units import parse_duration_seconds
from autopeft.errors import InputError, MissingDependencyError, NothingFitsError, UsageError
from autopeft.search.context import Stop
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, read_json, write_json

DEFAULT_BUDGET = "1h"
DEMO_BUDGET = "4m"
IN_MEMORY = "(given in Python)"


def search(  # noqa: PLR0913 - the public verb: one keyword for each option of the command
    *,
    model: str = "demo",
    train: Any = "demo",
    validation: Any = None,
    test: Any = None,
    task: str | None = None,
    output: str | Path | None = None,
    gpu_mem: str | int | None = None,
    budget: str | float | None = None,
    trials: int | None = None,
    methods: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_length: int | None = None,
    full_steps: int | None = None,
    max_train_rows: int | None = None,
    max_evaluation_rows: int | None = None,
    top: int = 2,
    confirm_seeds: int = 2,
    threads: int | None = None,
    observer: Observer | None = None,
    stop: Stop | None = None,
) -> SearchRun:
    """Search for the best adapter that a budget buys.

    Args:
        model: hub id or local folder with safetensors weights; `demo` is the embedded default.
        train: file, folder or hub id of a data set, or a pandas DataFrame or `datasets` object; `demo` is the
            embedded default. Splits that it lacks are made.
        validation: a DataFrame or `datasets` object to choose on, beside such a `train`.
        test: likewise, to measure the winner on once.
        task: task id, see `autopeft tasks`; by default what suits the architecture.
        output: the run directory; by default `runs/<time>`.
        gpu_mem: memory that training may use, like `"24GB"`, or bytes.
        budget: wall clock for everything, like `"1h"` or seconds; one hour where `trials` is not given either.
        trials: how many configurations to try at most. Without `budget` the result is the same each time.
        methods: ids to search over; by default the recommender's choice.
        columns: role -> column, where the names do not tell.
        seed: of everything random.
        batch_size: rows in an optimizer step.
        max_length: tokens in a row; by default from the data.
        full_steps: optimizer steps of a full-length run; by default three epochs, or what the budget allows.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation and on test rows each.
        top: configurations that are trained to full length.
        confirm_seeds: seeds on which they are.
        threads: CPU threads.
        observer: is told of the progress.
        stop: set `requested` on it to stop after the running slice.

    Raises:
        UsageError: an option makes no sense.
        InputError: the model or the data cannot be used.
        NothingFitsError: no method fits.
        RunError: the run could not finish; `resume` goes on.
        RunInterrupted: `stop` was requested; `resume` goes on.
    """
    started = time.monotonic()
    source = _source(train, validation, test)
    request = SearchRequest(
        model=str(model),
        dataset=str(train) if source is None else IN_MEMORY,
        task=task or "",
        columns=dict(columns or {}),
        methods=tuple(methods),
        gpu_mem_bytes=size_bytes(gpu_mem),
        budget_seconds=_budget_seconds(budget, trials, demo=model == "demo"),
        trials=trials,
        seed=seed,
        batch_size=batch_size,
        max_length=max_length,
        full_steps=full_steps,
        max_train_rows=max_train_rows,
        max_evaluation_rows=max_evaluation_rows,
        top=top,
        confirm_seeds=confirm_seeds,
        threads=threads,
    )
    check_request(request)
    run = RunDirectory.create(Path(output) if output is not None else default_output())
    return _execute(run, request, source, started, observer, stop, fresh=True)


def resume(
    run: str | Path,
    *,
    train: Any = None,
    budget: str | float | None = None,
    observer: Observer | None = None,
    stop: Stop | None = None,
) -> SearchRun:
    """Go on with a run after any stop; a finished run is given back as it is.

    Args:
        run: the run directory.
        train: the data again, where it had been given in Python.
        budget: a new wall-clock budget for everything, what was spent before included.
        observer: is told of the progress.
        stop: set `requested` on it to stop after the running slice.

    Raises:
        InputError: it is no run directory.
        RunError: another process works on it, or it could not finish.
    """
    started = time.monotonic()
    directory = RunDirectory(Path(run))
    request = directory.request()
    if budget is not None:
        request = replace(request, budget_seconds=_budget_seconds(budget, None, demo=False))
    source = _source(train, None, None) if train is not None else None
    if request.dataset == IN_MEMORY and source is None:
        raise InputError(
            f"the data of {run} was given in Python",
            hint="resume it there: autopeft.api.search.resume(run, train=…)",
        )
    return _execute(directory, request, source, started, observer, stop, fresh=False)


def _execute(
    run: RunDirectory,
    request: SearchRequest,
    source: Any,
    started: float,
    observer: Observer | None,
    stop: Stop | None,
    *,
    fresh: bool,
) -> SearchRun:
    """Run or go on, under the run's lock. Everything heavy is imported from here on."""
    with run.locked():
        if _is_finished(run):
            return SearchRun(run.path)
        plan = {} if fresh else read_json(run.path / "plan.json")
        write_json(run.path / "plan.json", plan | {"request": _lasting(request).to_dict()})
        timestamp = datetime.now(UTC).isoformat(timespec="seconds")
        ledger = Ledger(run.path / "ledger.json", clock=time.monotonic, started=started, timestamp=timestamp)
        with ledger.spend("startup"):
            from autopeft.api.stages import run_stages
        try:
            run_stages(run, request, source, ledger, observer or Silent(), stop or Stop())
        except (UsageError, NothingFitsError, InputError, MissingDependencyError):
            # What was asked cannot be done: before the first trial there is nothing to resume.
            if fresh and not run.trials():
                run.forget()
            raise
    return SearchRun(run.path)


def _is_finished(run: RunDirectory) -> bool:
    path = run.path / "result.json"
    return path.exists() and read_json(path).get("status") == "finished"


def check_request(request: SearchRequest) -> None:
    """See that the numbers make sense, before anything is read.

    Raises:
        UsageError: one does not.
    """
    least: list[tuple[str, Callable[[SearchRequest], int | None], int]] = [
        ("--trials", lambda r: r.trials, 1),
        ("--batch-size", lambda r: r.batch_size, 1),
        ("--max-length", lambda r: r.max_length, 4),
        ("--full-steps", lambda r: r.full_steps, 1),
        ("--max-train-rows", lambda r: r.max_train_rows, 2),
        ("--max-evaluation-rows", lambda r: r.max_evaluation_rows, 2),
        ("--top", lambda r: r.top, 1),
        ("--confirm-seeds", lambda r: r.confirm_seeds, 1),
        ("--threads", lambda r: r.threads, 1),
        ("--seed", lambda r: r.seed, 0),
    ]
    for option, get, minimum in least:
        value = get(request)
        if value is not None and value < minimum:
            raise UsageError(f"{option} {value} makes no sense", hint=f"it must be at least {minimum}")


def default_output() -> Path:
    """A new folder under `runs/`, named by the time."""
    return Path("runs") / datetime.now().strftime("%Y%m%d-%H%M%S")


def _budget_seconds(budget: str | float | None, trials: int | None, *, demo: bool) -> float | None:
    if budget is None:
        if trials is not None:
            return None
        budget = DEMO_BUDGET if demo else DEFAULT_BUDGET
    return parse_duration_seconds(str(budget))


def _lasting(request: SearchRequest) -> SearchRequest:
    """The request with local paths in full, so that `resume` works from another folder too."""
    return replace(request, model=_absolute(request.model), dataset=_absolute(request.dataset))


def _absolute(name: str) -> str:
    path = Path(name).expanduser()
    return str(path.absolute()) if name != "demo" and path.exists() else name


def _source(train: Any, validation: Any, test: Any) -> Any:
    """What was given in Python, as one object; None where `train` names a file, folder or hub id."""
    if isinstance(train, str | Path):
        if validation is not None or test is not None:
            raise UsageError(
                "validation and test go with a train that is given in Python",
                hint="name a folder with split files",
            )
        return None
    if validation is None and test is None:
        return train
    splits = {"train": train, "validation": validation, "test": test}
    return {name: split for name, split in splits.items() if split is not None}

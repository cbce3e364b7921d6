"""`search` and `resume`: a budget-limited search over methods and hyperparameters with real short fine-tunes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Unpack, cast

from autopeft.api.conduct import Conduct, budget_seconds, check_request, conduct_fields, default_budget
from autopeft.api.data_choices import check_data_choices
from autopeft.api.given_data import given_source
from autopeft.api.own_metric import metric_name
from autopeft.api.passwords import hide_password
from autopeft.api.request import size_bytes
from autopeft.api.run import SearchResult
from autopeft.api.same_files import move_base
from autopeft.data.own_metrics import OwnMetric
from autopeft.domain.callbacks import Callback
from autopeft.domain.models import Quantization
from autopeft.domain.plan import SearchRequest
from autopeft.domain.progress import Observer, Progress, observer_of
from autopeft.errors import InputError, MissingDependencyError, NothingFitsError, UsageError
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, read_json, write_json
from autopeft.search.stop import Stop

IN_MEMORY = "(given in Python)"
# Options of `search` that a request holds under the same name.
_AS_GIVEN = (
    "documents",
    "group_column",
    "max_bad_rows",
    "allow_overlap",
    "class_weights",
    "prompt_template",
    "trials",
    "seed",
    "batch_size",
    "max_length",
    "full_steps",
    "max_train_rows",
    "max_evaluation_rows",
    "top",
    "confirm_seeds",
    "threads",
    "base_precision",
)


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
    starts: Mapping[str, Mapping[str, Any]] | None = None,
    columns: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    documents: str = "auto",
    group_column: str | None = None,
    max_bad_rows: int | None = None,
    allow_overlap: bool = False,
    class_weights: str | None = None,
    prompt_template: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    max_length: int | None = None,
    full_steps: int | None = None,
    max_train_rows: int | None = None,
    max_evaluation_rows: int | None = None,
    top: int = 2,
    confirm_seeds: int = 2,
    threads: int | None = None,
    base_precision: Quantization | None = None,
    metric: str | OwnMetric | None = None,
    catalog: str | Path | None = None,
    observer: Observer | Callable[[Progress], object] | None = None,
    callbacks: Sequence[Callback] = (),
    stop: Stop | None = None,
    **conduct: Unpack[Conduct],
) -> SearchResult:
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
        budget: wall clock for everything, like `"1h"` or seconds; one hour where nothing else limits the search.
        trials: how many configurations to try at most. Without `budget` the result is the same each time.
        methods: ids to search over; by default the recommender's choice.
        starts: method id -> hyperparameters to begin with, in the place of the recommender's.
        columns: role -> column, where the names do not tell.
        splits: split -> the name that the source has for it, where the names do not tell.
        documents: what a row of plain text is: `line`, `file`, or `auto` (lines of a single file, whole files of a
            folder).
        group_column: rows with the same value stay in one split.
        max_bad_rows: rows that may be left out; by default 10 or 1 % that lack a cell, and none that is unreadable.
        allow_overlap: keep rows that two splits share where they are, however many.
        class_weights: `"balanced"` weighs training rows by how rare their class is.
        prompt_template: how a row is written out for a model that writes its answer, with the task's roles in braces:
            `"Question: {source} Answer:"`.
        seed: of everything random.
        batch_size: rows in an optimizer step.
        max_length: tokens in a row; by default from the data.
        full_steps: optimizer steps of a full-length run; by default three epochs, or what the budget allows.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation and on test rows each.
        top: configurations that are trained to full length.
        confirm_seeds: seeds on which they are.
        threads: CPU threads.
        base_precision: layout that the frozen base is held in: `"nf4"`, `"nf4-double"` or `"int8"`; by default
            float32. Methods that cannot train on such a base are not searched.
        metric: that the winner is chosen by, see `domain.metrics`; or a function of (true answers, predicted answers),
            greater being better, itself or as `"module:function"`. By default the task's own.
        catalog: a folder of own methods, rules, tasks, ... in YAML, read beside the shipped catalogue.
        observer: is told of the progress; a function is called with each `Progress`.
        callbacks: are told of every slice that ended, and of the result: see `Callback`.
        stop: set `requested` on it to stop after the running slices.
        conduct: workers, scheduler, sampler, objectives, further budgets, storage: see `Conduct`.

    Raises:
        UsageError: an option makes no sense.
        InputError: the model or the data cannot be used.
        NothingFitsError: no method fits.
        RunError: the run could not finish; `resume` goes on.
        RunInterrupted: `stop` was requested; `resume` goes on.
    """
    options = locals()  # every option by its name
    started = time.monotonic()
    request, source = request_of({**options, **conduct})
    run = RunDirectory.create(Path(output) if output is not None else default_output())
    return _execute(run, request, source, started, _Watch(observer, callbacks, stop), fresh=True)


def request_of(options: Mapping[str, Any]) -> tuple[SearchRequest, Any]:
    """What options of `search` ask for, checked, and the data where they were given in Python.

    Args:
        options: by name; those that are left out have their defaults.

    Raises:
        UsageError: an option makes no sense.
    """
    defaults = {name: one.default for name, one in signature(search).parameters.items() if one.default is not one.empty}
    given = SimpleNamespace(**{**defaults, **options})
    conduct = cast(Conduct, {name: one for name, one in options.items() if name not in {*defaults, "conduct"}})
    source = given_source(given.train, given.validation, given.test)
    request = SearchRequest(
        model=str(given.model),
        dataset=str(given.train) if source is None else IN_MEMORY,
        task=given.task or "",
        columns=dict(given.columns or {}),
        splits=dict(given.splits or {}),
        methods=tuple(given.methods),
        starts={name: dict(values) for name, values in (given.starts or {}).items()},
        gpu_mem_bytes=size_bytes(given.gpu_mem),
        budget_seconds=budget_seconds(given.budget, default_budget(conduct, given.trials, demo=given.model == "demo")),
        metric=metric_name(given.metric),
        catalog=None if given.catalog is None else str(given.catalog),
        **{name: getattr(given, name) for name in _AS_GIVEN},
        **conduct_fields(conduct),
    )
    check_request(request)
    check_data_choices(request)
    return request, source


def resume(  # noqa: PLR0913 - a public verb: one keyword for each option of the command
    run: str | Path,
    *,
    train: Any = None,
    budget: str | float | None = None,
    workers: int | None = None,
    storage: str | None = None,
    model: str | Path | None = None,
    observer: Observer | Callable[[Progress], object] | None = None,
    callbacks: Sequence[Callback] = (),
    stop: Stop | None = None,
) -> SearchResult:
    """Go on with a run after any stop; a finished run is given back as it is.

    Args:
        run: the run directory.
        train: the data again, where it had been given in Python.
        budget: a new wall-clock budget for everything, what was spent before included.
        workers: processes that train from now on; by default as many as before.
        storage: the address of the shared study's database again, where it has a password: that is not kept.
        model: where the base model is now, if it was moved; a finished run is noted so too.
        observer: is told of the progress; a function is called with each `Progress`.
        callbacks: as in `search`.
        stop: set `requested` on it to stop after the running slice.

    Raises:
        InputError: it is no run directory, or its base model or its data is not what it began with.
        RunError: another process works on it, or it could not finish.
    """
    started = time.monotonic()
    directory = RunDirectory(Path(run))
    if model is not None:
        move_base(directory, str(model))
    request = directory.request()
    if budget is not None:
        request = replace(request, budget_seconds=budget_seconds(budget, None))
    if workers is not None:
        request = replace(request, workers=workers)
    if storage is not None:
        request = replace(request, storage=storage)
    check_request(request)
    source = given_source(train, None, None) if train is not None else None
    if request.dataset == IN_MEMORY and source is None:
        raise InputError(
            f"the data of {run} was given in Python",
            hint="resume it there: autopeft.api.search.resume(run, train=…)",
        )
    return _execute(directory, request, source, started, _Watch(observer, callbacks, stop), fresh=False)


class _Watch(NamedTuple):
    """Who is told, and who may stop the search."""

    observer: Observer | Callable[[Progress], object] | None
    callbacks: Sequence[Callback]
    stop: Stop | None


def _execute(
    run: RunDirectory,
    request: SearchRequest,
    source: Any,
    started: float,
    watch: _Watch,
    *,
    fresh: bool,
) -> SearchResult:
    """Run or go on, under the run's lock. Everything heavy is imported from here on."""
    with run.locked():
        if _is_finished(run):
            return SearchResult(run.path)
        run.sweep()
        plan = {} if fresh else read_json(run.path / "plan.json")
        write_json(run.path / "plan.json", plan | {"request": _lasting(request).to_dict()})
        timestamp = datetime.now(UTC).isoformat(timespec="seconds")
        ledger = Ledger(
            run.path / "ledger.json",
            clock=time.monotonic,
            started=started,
            timestamp=timestamp,
            workers=request.slots,
        )
        with ledger.spend("startup"):
            from autopeft.api.stages import run_stages
        try:
            run_stages(run, request, source, ledger, observer_of(watch.observer), watch.callbacks, watch.stop or Stop())
        except (UsageError, NothingFitsError, InputError, MissingDependencyError):
            # What was asked cannot be done: before the first trial there is nothing to resume.
            if fresh and not run.trials():
                run.forget()
            raise
    return SearchResult(run.path)


def _is_finished(run: RunDirectory) -> bool:
    path = run.path / "result.json"
    try:
        return path.exists() and read_json(path).get("status") == "finished"
    except InputError:  # it is made of the run's other files: it is written again
        return False


def default_output() -> Path:
    """A new folder under `runs/`, named by the time."""
    return Path("runs") / datetime.now().strftime("%Y%m%d-%H%M%S")


def _lasting(request: SearchRequest) -> SearchRequest:
    """The request with local paths in full, so that `resume` works from another folder too, and no password."""
    catalog = request.catalog and _absolute(request.catalog)
    storage = request.storage and hide_password(request.storage)
    return replace(
        request, model=_absolute(request.model), dataset=_absolute(request.dataset), catalog=catalog, storage=storage
    )


def _absolute(name: str) -> str:
    path = Path(name).expanduser()
    return str(path.absolute()) if name != "demo" and path.exists() else name

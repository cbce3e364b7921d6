"""How a search is conducted: workers, scheduler, sampler, objectives, budgets and storage, as a user gives them."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, TypedDict, get_args

from autopeft.api.request import size_bytes
from autopeft.domain.models import Quantization
from autopeft.domain.plan import SECONDS_PER_HOUR, SearchRequest
from autopeft.domain.units import parse_duration_seconds
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.tracking.trackers import require_tracker

DEFAULT_BUDGET = "1h"
DEMO_BUDGET = "4m"
ENGINES = ("processes", "ray")


class Conduct(TypedDict, total=False):
    """Options of `search` that say how it is conducted.

    Attributes:
        workers: processes that train, each on a device of its own where there are several; 0, the default, trains in
            this process.
        scheduler: `asha` (the default), `hyperband` or `freeze-thaw`.
        sampler: `mobster` (the default), `tpe`, `random`, `gp`, `cmaes`, `qmc` or `nsga2`.
        objectives: what trials are compared by: of `loss`, `memory`, `size`, `latency` and `time`; several give a
            Pareto front.
        device_hours: budget of the workers' time, summed over them.
        tokens: budget of training tokens.
        money: budget at `price_per_hour`, in its currency.
        price_per_hour: of one worker's device.
        max_disk: what the run directory may hold, like `"20GB"`.
        max_trial_time: the most that one trial may take on one seed, like `"10m"`.
        storage: address of a PostgreSQL or MySQL database, for several searches that work on one study.
        study: its name there.
        gpus: of this machine's devices, how many to train on, a worker each; `gpu_mem` is for each of them.
        engine: what runs the workers: `processes` on this machine (the default) or `ray`.
        ray_address: of the Ray cluster: `auto` (the default), `host:port`, or `local` to start one here.
        gpus_per_trial: GPUs that train each trial together, its model divided over them; on Ray also a share of one
            for each worker. By default one where there are any.
        history: whether what earlier searches on this machine found is used, and what this one finds is kept; by
            default it is used under a budget of time, since without one a search is repeatable, and kept.
        track: experiment trackers that are told of every trial: of `mlflow`, `tensorboard` and `wandb`.
    """

    workers: int
    scheduler: str
    sampler: str
    objectives: Sequence[str]
    device_hours: float | None
    tokens: int | None
    money: float | None
    price_per_hour: float | None
    max_disk: str | int | None
    max_trial_time: str | float | None
    storage: str | None
    study: str | None
    gpus: int | None
    engine: str
    ray_address: str | None
    gpus_per_trial: float | None
    history: bool | None
    track: Sequence[str]


def conduct_fields(conduct: Conduct) -> dict[str, Any]:
    """The fields of `SearchRequest` that these options fill.

    Raises:
        UsageError: a size or time that is none, or an option that there is not.
    """
    unknown = sorted(set(conduct) - set(Conduct.__annotations__))
    if unknown:
        nearest = get_close_matches(unknown[0], Conduct.__annotations__, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else "see help(autopeft.search)"
        raise UsageError(f"search takes no option {unknown[0]!r}", hint=hint)
    device_hours, limit = conduct.get("device_hours"), conduct.get("max_trial_time")
    return {
        "workers": _workers(conduct),
        "gpus": conduct.get("gpus"),
        "engine": conduct.get("engine", "processes"),
        "ray_address": conduct.get("ray_address"),
        "gpus_per_trial": conduct.get("gpus_per_trial"),
        "history": conduct.get("history"),
        "scheduler": conduct.get("scheduler", "asha"),
        "sampler": conduct.get("sampler", "mobster"),
        "objectives": tuple(conduct.get("objectives", ("loss",))),
        "device_seconds": None if device_hours is None else device_hours * SECONDS_PER_HOUR,
        "tokens": conduct.get("tokens"),
        "money": conduct.get("money"),
        "price_per_hour": conduct.get("price_per_hour"),
        "disk_bytes": size_bytes(conduct.get("max_disk")),
        "trial_seconds": None if limit is None else parse_duration_seconds(str(limit)),
        "storage": conduct.get("storage"),
        "study": conduct.get("study"),
        "track": tuple(dict.fromkeys(conduct.get("track") or ())),
    }


def _workers(conduct: Conduct) -> int:
    """As many as were asked for, or as the devices make."""
    each = max(1, int(conduct.get("gpus_per_trial") or 1))
    made = (conduct.get("gpus") or 0) // each
    return conduct.get("workers") or made or (1 if each > 1 and conduct.get("engine") != "ray" else 0)


def budget_seconds(budget: str | float | None, otherwise: str | None) -> float | None:
    """A wall-clock budget as a user gives it, or else the default.

    Raises:
        UsageError: it is no time.
    """
    chosen = otherwise if budget is None else str(budget)
    return None if chosen is None else parse_duration_seconds(chosen)


def default_budget(conduct: Conduct, trials: int | None, *, demo: bool) -> str | None:
    """The wall clock of a search whose user named none: none where something else limits it."""
    limits = ("device_hours", "tokens", "money")
    if trials is not None or any(conduct.get(name) is not None for name in limits):
        return None
    return DEMO_BUDGET if demo else DEFAULT_BUDGET


def check_request(request: SearchRequest) -> None:
    """See that the numbers and names make sense, before anything is read.

    Raises:
        UsageError: one does not.
        MissingDependencyError: the sampler or a tracker needs a package that is not installed.
    """
    least: list[tuple[str, Callable[[SearchRequest], float | None], int]] = [
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
        ("--workers", lambda r: r.workers, 0),
        ("--gpus", lambda r: r.gpus, 1),
        ("--tokens", lambda r: r.tokens, 1),
    ]
    for option, get, minimum in least:
        value = get(request)
        if value is not None and value < minimum:
            raise UsageError(f"{option} {value} makes no sense", hint=f"it must be at least {minimum}")
    _check_amounts(request)
    _check_names(request)
    _check_engine(request)
    if request.storage is not None:
        from autopeft.search.storage_address import parse_address

        parse_address(request.storage)
    elif request.study is not None:
        raise UsageError("--study names a study in a database", hint="say which with --storage")


def _check_amounts(request: SearchRequest) -> None:
    amounts = {
        "--device-hours": request.device_seconds,
        "--money": request.money,
        "--price-per-hour": request.price_per_hour,
    }
    for option, amount in amounts.items():
        if amount is not None and not 0 < amount < float("inf"):
            raise UsageError(f"{option} {amount:g} makes no sense", hint="it must be above 0")
    if request.money is not None and request.price_per_hour is None:
        raise UsageError("--money needs a price", hint="say what an hour of one device costs with --price-per-hour")


def _check_engine(request: SearchRequest) -> None:
    if request.engine == "ray":
        if request.workers == 0:
            raise UsageError("--engine ray needs a number of workers", hint="say how many with --workers")
        if request.gpus is not None:
            raise UsageError("--gpus counts this machine's devices", hint="on Ray, use --workers and --gpus-per-trial")
    elif request.ray_address is not None:
        raise UsageError("--ray-address goes with --engine ray", hint="name the engine, too, or leave it out")
    _check_gpus_per_trial(request)
    if request.engine == "ray" and find_spec("ray") is None:
        raise MissingDependencyError("--engine ray needs Ray", hint="pip install 'autopeft[ray]'")


def _check_gpus_per_trial(request: SearchRequest) -> None:
    share, ranks = request.gpus_per_trial, request.ranks
    if share is None:
        return
    if share <= 0 or (share > 1 and share != ranks):
        hint = "a trial runs on one GPU, on several, or on Ray on a share of one"
        raise UsageError(f"--gpus-per-trial {share:g} makes no sense", hint=hint)
    if share < 1 and request.engine != "ray":
        raise UsageError("a share of a GPU goes with --engine ray", hint="name the engine, or leave it out")
    if ranks > 1 and request.base_precision is not None:
        raise UsageError(
            f"--base-precision {request.base_precision} cannot be divided over {ranks} GPUs",
            hint="leave it or --gpus-per-trial out",
        )
    if request.gpus is not None and request.gpus % ranks:
        raise UsageError(
            f"--gpus {request.gpus} cannot be shared out by {ranks} a trial", hint="name a multiple of --gpus-per-trial"
        )


def _check_names(request: SearchRequest) -> None:
    from autopeft.search.flat_samplers import require_sampler
    from autopeft.search.objectives import OBJECTIVES
    from autopeft.search.sampler import SAMPLERS
    from autopeft.search.schedulers import SCHEDULERS

    if not request.objectives:
        raise UsageError("there must be an objective", hint="name loss, and what else counts")
    asked = [
        ("engine", request.engine, ENGINES),
        ("scheduler", request.scheduler, SCHEDULERS),
        ("sampler", request.sampler, SAMPLERS),
    ]
    asked += [("objective", name, OBJECTIVES) for name in request.objectives]
    if request.base_precision is not None:
        asked.append(("base precision", request.base_precision, get_args(Quantization)))
    for kind, name, known in asked:
        if name not in known:
            raise UsageError(f"there is no {kind} {name!r}", hint=f"use one of {', '.join(known)}")
    if "loss" not in request.objectives:
        raise UsageError("loss must be among the objectives", hint=f"write loss,{','.join(request.objectives)}")
    require_sampler(request.sampler)
    for name in request.track:
        require_tracker(name)

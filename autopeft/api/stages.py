"""The stages of a search in order, each picking up what an earlier session left."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autopeft.api.baselines import measure_baselines
from autopeft.api.environment import environment
from autopeft.api.loading import load_lines
from autopeft.api.planning import Choice, cap_starts, choose, evaluation_within, fit_to_budget, provisional_plan
from autopeft.api.preparation import Subject, fast_autocast, load_data, load_worker, read_subject
from autopeft.api.pricing import Pricing
from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.data.load import LoadedData
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer
from autopeft.domain.trials import Split, TrialSpec
from autopeft.errors import DataError, RunInterrupted
from autopeft.execution.in_process import InProcessExecutor
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES
from autopeft.reporting.model_card import model_card
from autopeft.reporting.write import write_report
from autopeft.search.confirm_stage import choose_entries, confirm_stage, saved_entries
from autopeft.search.context import SearchContext, Stop
from autopeft.search.finish import finish
from autopeft.search.ledger import Ledger
from autopeft.search.result import Frame, build_result
from autopeft.search.run_directory import RunDirectory, intact, read_json, write_atomically, write_json
from autopeft.search.search_stage import search_stage
from autopeft.training.checkpoint import load_tensors, prune_checkpoints, save_tensors
from autopeft.training.device_memory import hold_to_budget
from autopeft.training.head_start import with_head_start
from autopeft.training.worker import Worker


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What the stages after planning work with."""

    subject: Subject
    loaded: LoadedData
    worker: Worker
    choice: Choice
    pricing: Pricing
    baselines: list[dict[str, Any]]


def run_stages(
    run: RunDirectory, request: SearchRequest, source: Any, ledger: Ledger, observer: Observer, stop: Stop
) -> None:
    """Prepare, search, confirm, test, report.

    Raises:
        AutopeftError: as `autopeft.api.search.search` says.
    """
    prepared = _prepare(run, request, source, ledger, observer)
    context = _context(run, request, prepared, ledger, observer, stop)
    frame = _frame(request, prepared)
    try:
        if not stop.requested and _final(run) is None:
            _search(context)
    finally:
        # Whatever happened, what there is so far is written down, and can be gone on with.
        _publish(context, frame, "interrupted" if _final(run) is None else "finished")
    if _final(run) is None:
        raise RunInterrupted(
            f"stopped; the report so far is in {run.path}", hint=f"`autopeft resume {run.path}` goes on"
        )


def _search(context: SearchContext) -> None:
    entries = saved_entries(context)
    records = [folder.record() for folder in context.run.trials()]
    if entries is None:
        records = search_stage(context)
        if context.stop.requested:
            return
        entries = choose_entries(context, records)
    confirm_stage(context, records, entries)
    if not context.stop.requested:
        finish(context, entries)
        for folder in context.run.all_folders():
            prune_checkpoints(folder.checkpoint, None)


def _final(run: RunDirectory) -> dict[str, Any] | None:
    path = run.path / "final.json"
    return read_json(path) if path.exists() else None


def _prepare(run: RunDirectory, request: SearchRequest, source: Any, ledger: Ledger, observer: Observer) -> _Prepared:
    with ledger.spend("startup"):
        catalog = load_catalog()
        for name in request.methods:
            catalog.method(name)
        subject = read_subject(request, catalog)
    with ledger.spend("data"):
        loaded = load_data(request, subject, source, run.path / "data")
    saved = read_json(run.path / "plan.json")
    if saved.get("fingerprint", loaded.encoded.fingerprint) != loaded.encoded.fingerprint:
        raise DataError(
            f"the data in {request.dataset} is not what {run.path} began with",
            hint="restore the data, or start a new run with another --output",
        )
    autocast = fast_autocast()
    with ledger.spend("startup"):
        plan = provisional_plan(request, subject, loaded.encoded, autocast)
        worker = load_worker(subject, loaded.encoded, catalog, plan, threads=request.threads)
        hold_to_budget(worker.device, request.gpu_mem_bytes, DEVICE_CONTEXT_BYTES)
        pricing = Pricing(subject, catalog, worker, request.gpu_mem_bytes)
    if "training" in saved:
        with intact(run.path / "plan.json"):
            plan, choice = TrainingPlan.from_dict(saved["training"]), Choice.from_dict(saved["choice"])
    else:
        plan, choice = _plan(request, plan, worker, pricing, catalog, ledger, observer)
        write_json(
            run.path / "plan.json",
            {
                "request": saved["request"],
                "training": plan.to_dict(),
                "choice": choice.to_dict(),
                "fingerprint": loaded.encoded.fingerprint,
            },
        )
    baselines, worker = _baselines(run, worker.with_plan(plan), loaded, ledger)
    return _Prepared(subject, loaded, worker, choice, pricing, baselines)


def _plan(
    request: SearchRequest,
    plan: TrainingPlan,
    worker: Worker,
    pricing: Pricing,
    catalog: Catalog,
    ledger: Ledger,
    observer: Observer,
) -> tuple[TrainingPlan, Choice]:
    with ledger.spend("startup"):
        choice = choose(request, pricing.recommendation(request), catalog)
        proposals = (*choice.starts, *([choice.control] if choice.control else []))
        splits = [pricing.split(proposal) or Split() for proposal in proposals]
        plan = evaluation_within(plan, splits, keeps_logits=not worker.data.label_names)
    before = ledger.spent_seconds
    with ledger.spend("probe"):
        timed, split = (choice.control, splits[-1]) if choice.control else (choice.starts[0], splits[0])
        probed = TrialSpec(-1, timed.method, timed.hyperparameters, plan.seeds[0], split)
        plan = fit_to_budget(request, plan, worker, probed, ledger.spent_seconds, observer.note)
    ledger.book("probe", 0.0, compute_seconds=ledger.spent_seconds - before)
    remaining = (request.budget_seconds or 0.0) - ledger.spent_seconds
    return plan, cap_starts(choice, request, plan, remaining)


def _baselines(
    run: RunDirectory, worker: Worker, loaded: LoadedData, ledger: Ledger
) -> tuple[list[dict[str, Any]], Worker]:
    """The baselines, and the worker whose runs start from the head-only baseline's head where that applies."""
    path, head_path = run.path / "baselines.json", run.path / "head_start.safetensors"
    if not path.exists():
        with ledger.spend("baselines"):
            measured = measure_baselines(worker, loaded.plain)
            if measured.head:
                save_tensors(measured.head, head_path)
            write_json(path, {"baselines": measured.entries})
        ledger.book("baselines", 0.0, compute_seconds=measured.compute_seconds)
    entries: list[dict[str, Any]] = read_json(path)["baselines"]
    return entries, with_head_start(worker, load_tensors(head_path)) if head_path.exists() else worker


def _context(
    run: RunDirectory,
    request: SearchRequest,
    prepared: _Prepared,
    ledger: Ledger,
    observer: Observer,
    stop: Stop,
) -> SearchContext:
    rows = prepared.loaded.encoded.rows
    return SearchContext(
        request=request,
        plan=prepared.worker.plan,
        metric=prepared.subject.task.metric,
        maximize=prepared.subject.task.maximize,
        methods=prepared.worker.methods,
        searched=prepared.choice.searched,
        starts=prepared.choice.starts,
        control=prepared.choice.control,
        split=prepared.pricing.split,
        test_rows=rows["test"],
        validation_rows=rows["validation"],
        max_length=prepared.loaded.encoded.max_length,
        run=run,
        executor=InProcessExecutor(prepared.worker),
        ledger=ledger,
        observer=observer,
        stop=stop,
    )


def _frame(request: SearchRequest, prepared: _Prepared) -> Frame:
    return Frame(
        asked={
            "model": request.model,
            "model_parameters": prepared.pricing.base_parameters,
            "dataset": request.dataset,
            "task": prepared.subject.task.id,
            "methods": list(prepared.choice.searched),
            "budget_seconds": request.budget_seconds,
            "trials": request.trials,
            "gpu_mem_bytes": request.gpu_mem_bytes,
            "seed": request.seed,
            "command": _command(),
        },
        data=prepared.loaded.encoded.to_dict(),
        baselines=prepared.baselines,
        excluded=prepared.choice.excluded,
        environment=environment(prepared.worker.plan.autocast),
        predicted_peak_bytes=prepared.pricing.known_peak_bytes,
        measured_kind="CUDA" if prepared.worker.device.type == "cuda" else "tensor bytes, CPU",
        load=_load_lines(prepared),
    )


def _load_lines(prepared: _Prepared) -> Callable[[str, str], list[str]]:
    subject, encoded = prepared.subject, prepared.loaded.encoded

    def lines(method: str, adapter: str) -> list[str]:
        spec = prepared.worker.methods[method]
        pad_id = encoded.pad_id if subject.model.config.get("pad_token_id") is None else None
        return load_lines(subject.task, spec, str(subject.model.path), adapter, encoded.label_rows, pad_id)

    return lines


def _command() -> str:
    """How this was started, for people to repeat it; a search from Python says so."""
    program = sys.argv[0].rpartition("/")[2]
    return " ".join(["autopeft", *sys.argv[1:]]) if program == "autopeft" else "from Python"


def _publish(context: SearchContext, frame: Frame, status: str) -> None:
    result = build_result(context, frame, status)
    if result["best"] is not None:
        write_atomically(context.run.path / "best_adapter" / "README.md", model_card(result))
    write_report(result, context.run.path)
    # Last: a result that says "finished" means that everything else is there too.
    write_json(context.run.path / "result.json", result)

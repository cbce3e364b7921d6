"""The stages of a search in order, each picking up what an earlier session left."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopeft.api.baselines import measure_baselines
from autopeft.api.environment import environment
from autopeft.api.executors import HEAD_START, make_executor
from autopeft.api.groundwork import lay_groundwork
from autopeft.api.loading import load_lines
from autopeft.api.passwords import hide_password
from autopeft.api.past import keep_for_later
from autopeft.api.planning import Choice
from autopeft.api.preparation import Subject
from autopeft.api.pricing import Pricing
from autopeft.api.search_ranges import with_ranges
from autopeft.api.studies import open_study
from autopeft.data.answer_scores import row_metric
from autopeft.data.load import LoadedData
from autopeft.domain.callbacks import Callback
from autopeft.domain.plan import SearchRequest
from autopeft.domain.progress import Observer
from autopeft.errors import RunInterrupted
from autopeft.modeling.build import renamed_weights
from autopeft.modeling.licence import licence_of
from autopeft.modeling.quantized_base import kept_modules, layout_arguments
from autopeft.reporting.model_card import model_card
from autopeft.reporting.write import write_report
from autopeft.search.callbacks import Callbacks
from autopeft.search.confirm_stage import choose_entries, confirm_stage, saved_entries
from autopeft.search.context import SearchContext
from autopeft.search.finish import finish
from autopeft.search.ledger import Ledger
from autopeft.search.result import Frame, build_result
from autopeft.search.run_directory import RunDirectory, read_json, write_atomically, write_json
from autopeft.search.search_stage import mirror, search_stage
from autopeft.search.stop import Stop
from autopeft.tracking.trackers import open_trackers
from autopeft.training.checkpoint import load_tensors, prune_checkpoints, save_tensors
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
    run: RunDirectory,
    request: SearchRequest,
    source: Any,
    ledger: Ledger,
    observer: Observer,
    callbacks: Sequence[Callback],
    stop: Stop,
) -> None:
    """Prepare, search, confirm, test, report.

    Raises:
        AutopeftError: as `autopeft.api.search.search` says.
    """
    prepared = _prepare(run, request, source, ledger, observer)
    frame = _frame(request, prepared)
    context = _context(run, request, prepared, ledger, observer, stop)
    # A tracker's address, which it names and complains about, may hold a password.
    trackers = open_trackers(
        request.track,
        run.path,
        lambda text: observer.note(hide_password(text)),
        left_seconds=lambda: context.remaining_seconds,
    )
    context = replace(context, callbacks=Callbacks([*callbacks, *trackers], observer.note))
    try:
        if not stop.requested and _final(run) is None:
            _search(context)
            if _final(run) is not None:
                records = [folder.record() for folder in run.trials()]
                keep_for_later(request, prepared.subject, prepared.pricing, prepared.worker.data.fingerprint, records)
    finally:
        context.executor.close()
        # Whatever happened, what there is so far is written down, and can be gone on with.
        _publish(context, frame, "interrupted" if _final(run) is None else "finished")
    if _final(run) is None:
        raise RunInterrupted(
            f"stopped; the report so far is in {run.path}", hint=f"`autopeft resume {run.path}` goes on"
        )


def _search(context: SearchContext) -> None:
    entries = saved_entries(context)
    if entries is None:
        records, peers = search_stage(context)
        if context.stop.requested:
            return
        entries = choose_entries(context, records, peers)
    else:
        records = [folder.record() for folder in context.run.trials()]
        if context.request.storage is None:
            mirror(context, records)
    confirm_stage(context, records, entries)
    if not context.stop.requested:
        finish(context, entries)
        for folder in context.run.all_folders():
            prune_checkpoints(folder.checkpoint, None)


def _final(run: RunDirectory) -> dict[str, Any] | None:
    path = run.path / "final.json"
    return read_json(path) if path.exists() else None


def _prepare(run: RunDirectory, request: SearchRequest, source: Any, ledger: Ledger, observer: Observer) -> _Prepared:
    ground = lay_groundwork(run, request, source, ledger, observer)
    baselines, worker = _baselines(run, ground.worker, ground.loaded, ledger, divided=request.ranks > 1)
    return _Prepared(ground.subject, ground.loaded, worker, ground.choice, ground.pricing, baselines)


def _baselines(
    run: RunDirectory, worker: Worker, loaded: LoadedData, ledger: Ledger, *, divided: bool
) -> tuple[list[dict[str, Any]], Worker]:
    """The baselines, and the worker whose runs start from the head-only baseline's head where that applies."""
    path, head_path = run.path / "baselines.json", run.path / HEAD_START
    if not path.exists():
        with ledger.spend("baselines"):
            measured = measure_baselines(worker, loaded.plain, with_base=not divided)
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
    model_folder = prepared.subject.model.path
    assert model_folder is not None  # weights were required
    methods = with_ranges(prepared.worker.methods, prepared.choice.ranges)
    searched = {name: methods[name] for name in prepared.choice.searched}
    return SearchContext(
        request=request,
        plan=prepared.worker.plan,
        metric=prepared.subject.task.metric,
        row_metric=row_metric(prepared.subject.task),
        maximize=prepared.subject.task.maximize,
        methods=methods,
        searched=prepared.choice.searched,
        starts=prepared.choice.starts,
        history=prepared.choice.history,
        control=prepared.choice.control,
        split=prepared.pricing.split,
        test_rows=rows["test"],
        validation_rows=rows["validation"],
        max_length=prepared.loaded.encoded.max_length,
        study=open_study(run, request, searched, observer),
        run=run,
        executor=make_executor(run, request, prepared.worker, model_folder, observer),
        ledger=ledger,
        observer=observer,
        stop=stop,
    )


def _frame(request: SearchRequest, prepared: _Prepared) -> Frame:
    return Frame(
        asked={
            "model": request.model,
            "model_parameters": prepared.pricing.base_parameters,
            "model_licence": licence_of(prepared.subject.model.path) if prepared.subject.model.path else None,
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
        why=prepared.choice.why,
        environment=environment(prepared.worker.plan.autocast),
        predicted_peak_bytes=prepared.pricing.known_peak_bytes,
        measured_kind="CUDA" if prepared.pricing.device == "cuda" else "tensor bytes, CPU",
        load=_load_lines(prepared),
    )


def _load_lines(prepared: _Prepared) -> Callable[[str, str], list[str]]:
    subject, encoded = prepared.subject, prepared.loaded.encoded

    def lines(method: str, adapter: str) -> list[str]:
        spec = prepared.worker.methods[method]
        pad_id = encoded.pad_id if subject.model.config.get("pad_token_id") != encoded.pad_id else None
        base = str(subject.model.path)
        return load_lines(subject.task, spec, base, adapter, encoded.label_rows, pad_id, _layout(prepared), renamed)

    renamed = renamed_weights(subject.model, subject.task)
    return lines


def _layout(prepared: _Prepared) -> dict[str, Any] | None:
    layout = prepared.subject.model.quantization
    return None if layout is None else layout_arguments(layout, kept_modules(prepared.worker.base))


def _command() -> str:
    """How this was started, for people to repeat it; a search from Python says so."""
    by_command = sys.argv[0].rpartition("/")[2] == "autopeft" or sys.argv[0].endswith("/autopeft/__main__.py")
    return shlex.join(["autopeft", *map(hide_password, sys.argv[1:])]) if by_command else "from Python"


def _publish(context: SearchContext, frame: Frame, status: str) -> None:
    result = build_result(context, frame, status)
    if result["best"] is not None:
        write_atomically(context.run.path / "best_adapter" / "README.md", model_card(result))
    write_report(result, context.run.path)
    # Last: a result that says "finished" means that everything else is there too.
    write_json(context.run.path / "result.json", result)
    context.callbacks.search_ended(result, context.run.path)

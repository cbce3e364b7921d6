"""What a search stands on: model, data, prices and plan, decided once and read again by every later session."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from autopeft.api.budgeting import cap_starts, fit_to_budget, within_tokens
from autopeft.api.executors import seats, worker_budget_bytes
from autopeft.api.group_probe import probed_by_group
from autopeft.api.guessed_task import with_guessed_task
from autopeft.api.past import recalled
from autopeft.api.planning import Choice, choose, evaluation_within, provisional_plan
from autopeft.api.preparation import DEMO, Subject, fast_autocast, load_data, load_worker, read_subject
from autopeft.api.pricing import Pricing
from autopeft.api.rank_limits import within_layers
from autopeft.api.same_files import BASE_CHECKSUMS, require_base_in_place, same_base
from autopeft.api.search_ranges import with_ranges
from autopeft.api.studies import agreed_plan, identity
from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.data.class_weights import weights_note
from autopeft.data.load import LoadedData
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer
from autopeft.domain.trials import Split, TrialSpec
from autopeft.domain.units import format_bytes
from autopeft.errors import DataError, UsageError
from autopeft.modeling.source import require_weights
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES
from autopeft.search.ledger import Ledger
from autopeft.search.run_directory import RunDirectory, intact, read_json, write_json
from autopeft.training.device_memory import hold_to_budget
from autopeft.training.worker import Worker


@dataclass(frozen=True, slots=True)
class Groundwork:
    """Everything that is known before the first trial.

    Attributes:
        subject: model, architecture and task.
        loaded: the data.
        worker: the loaded base with the plan.
        choice: which methods are searched, and from where.
        pricing: what configurations cost.
    """

    subject: Subject
    loaded: LoadedData
    worker: Worker
    choice: Choice
    pricing: Pricing


def lay_groundwork(
    run: RunDirectory, request: SearchRequest, source: Any, ledger: Ledger, observer: Observer
) -> Groundwork:
    """Read model and data, price the methods, and plan, or go on with the plan of an earlier session.

    Raises:
        AutopeftError: as `autopeft.api.search.search` says.
    """
    saved = read_json(run.path / "plan.json")
    with ledger.spend("startup"):
        seats(request)  # that the devices are there, before anything is read
        require_base_in_place(run.path, saved, request.model)
        catalog = load_catalog(beside=request.catalog)
        for name in request.methods:
            catalog.method(name)
        subject = read_subject(request, catalog)
        base = same_base(run.path, saved, subject.model.path)
    with ledger.spend("data"):
        request, guesses = with_guessed_task(request, source, catalog, subject.architecture)
        subject = read_subject(request, catalog)
        loaded = load_data(request, subject, source, run.path / "data")
    guesses = tuple(saved.get("guesses", guesses))  # a resumed run knows its task, and still says that it was guessed
    loaded = _noted(request, subject, loaded, guesses, observer)
    _require_the_same_data(run, request, saved, loaded.encoded.fingerprint)
    autocast = fast_autocast()
    with ledger.spend("startup"):
        plan = provisional_plan(request, subject, loaded.encoded, autocast)
        _require_rows_for_all(plan, request.ranks)
        divided = request.ranks > 1
        worker = load_worker(subject, loaded.encoded, catalog, plan, threads=request.threads, on_host=divided)
        budget_bytes = _shared_budget_bytes(request, observer)
        hold_to_budget(worker.device, budget_bytes, DEVICE_CONTEXT_BYTES)
        pricing = Pricing(subject, catalog, worker, budget_bytes, ranks=request.ranks)
    if "training" in saved:
        with intact(run.path / "plan.json"):
            plan, choice = TrainingPlan.from_dict(saved["training"]), Choice.from_dict(saved["choice"])
    else:
        same = identity(subject.model.config, subject.task.id, loaded.encoded.fingerprint)
        decide = partial(_plan, run, request, plan, worker, pricing, catalog, ledger, observer)
        plan, choice = agreed_plan(run, request, same, decide, observer)
        decided = {"training": plan.to_dict(), "choice": choice.to_dict(), "fingerprint": loaded.encoded.fingerprint}
        decided |= {BASE_CHECKSUMS: base}
        asked = {"request": saved["request"] | {"task": request.task}, "guesses": list(guesses)}
        write_json(run.path / "plan.json", asked | decided)
    return Groundwork(subject, loaded, worker.with_plan(plan), choice, pricing)


def _require_rows_for_all(plan: TrainingPlan, ranks: int) -> None:
    """See that each of the devices that train a trial together has rows of a step to work on.

    Raises:
        UsageError: one has none.
    """
    if plan.batch_size < ranks:
        raise UsageError(
            f"steps of {plan.batch_size} rows cannot be divided over {ranks} GPUs",
            hint="raise --batch-size or lower --gpus-per-trial",
        )


def _shared_budget_bytes(request: SearchRequest, observer: Observer) -> int | None:
    """What a worker may use of its device; it is said where that is less than --gpu-mem."""
    own = worker_budget_bytes(request)
    if own is not None and own != request.gpu_mem_bytes:
        observer.note(f"{request.slots} workers sit on fewer devices: each may use {format_bytes(own)} of --gpu-mem")
    return own


def _require_the_same_data(run: RunDirectory, request: SearchRequest, saved: Mapping[str, Any], now: str) -> None:
    """See that a resumed run goes on with the data that it began with.

    Raises:
        DataError: it would not.
    """
    if saved.get("fingerprint", now) != now:
        raise DataError(
            f"the data in {request.dataset} is not what {run.path} began with",
            hint="restore the data, or start a new run with another --output",
        )


def _noted(
    request: SearchRequest, subject: Subject, loaded: LoadedData, guesses: tuple[str, ...], observer: Observer
) -> LoadedData:
    """The data with a note on what was guessed and weighted; all of its notes are said."""
    classes = loaded.encoded.label_rows if subject.task.objective == "classification" else None
    loaded = loaded.with_notes(guesses + weights_note(request.class_weights, classes))
    if request.dataset != DEMO:
        for note in loaded.encoded.notes:
            observer.note(note)
    return loaded


def _plan(
    run: RunDirectory,
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
        limited = within_layers(pricing.subject, pricing.shape, catalog.methods, choice.ranges, choice.searched)
        choice = replace(choice, ranges=limited)
        proposals = (*choice.starts, *([choice.control] if choice.control else []))
        splits = [pricing.split(proposal) or Split() for proposal in proposals]
        keeps_logits = not worker.data.label_names
        plan = evaluation_within(plan, splits, pricing.shape.batch_size, keeps_logits=keeps_logits)
    before = ledger.spent_seconds
    with ledger.spend("probe"):
        timed, split = (choice.control, splits[-1]) if choice.control else (choice.starts[0], splits[0])
        probed = TrialSpec(-1, timed.method, timed.hyperparameters, plan.seeds[0], split)
        folder = require_weights(pricing.subject.model)
        together = partial(probed_by_group, run, request, worker, folder, probed, observer)
        plan = fit_to_budget(
            request,
            plan,
            worker,
            probed,
            ledger.spent_seconds,
            observer.note,
            measure=together if request.ranks > 1 else None,
        )
        plan = within_tokens(request, plan, worker.data.rows["validation"])
    ledger.book("probe", 0.0, compute_seconds=ledger.spent_seconds - before)
    remaining = (request.wall_seconds or 0.0) - ledger.spent_seconds
    choice = cap_starts(choice, request, plan, remaining)
    methods = with_ranges({name: catalog.methods[name] for name in choice.searched}, choice.ranges)
    past = recalled(request, pricing.subject, pricing, worker.data.fingerprint, methods, choice.starts)
    if past:
        observer.note(
            f"{len(past)} configurations of earlier searches like this one are known: up to a third of the "
            "trials begin from them (--no-history leaves them out)"
        )
    return plan, replace(choice, history=past)

"""The study of a search: its own, or one that it shares with other processes through a database."""

import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from json import dumps
from typing import Any

from autopeft.api.planning import Choice
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Observer
from autopeft.errors import InputError
from autopeft.search.run_directory import RunDirectory, read_json, write_json
from autopeft.search.storage import Study, StudyMirror

DEFAULT_STUDY = "autopeft"
# What else two processes must have been asked alike, so that their trials can be compared.
_SAME = (
    "seed",
    "starts",
    "batch_size",
    "max_length",
    "full_steps",
    "metric",
    "class_weights",
    "objectives",
    "base_precision",
)


def open_study(
    run: RunDirectory, request: SearchRequest, methods: Mapping[str, MethodSpec], observer: Observer
) -> Callable[[], Study]:
    """Opens the study when it is needed."""
    if request.storage is None:
        return lambda: StudyMirror(run.path / "study.db", methods, observer.note)

    def shared() -> Study:
        from autopeft.search.shared_study import SharedStudy

        return SharedStudy(_database(run, request, observer), methods)

    return shared


def agreed_plan(
    run: RunDirectory,
    request: SearchRequest,
    identity: Mapping[str, Any],
    decide: Callable[[], tuple[TrainingPlan, Choice]],
    observer: Observer,
) -> tuple[TrainingPlan, Choice]:
    """This process's plan; in a shared study, that of its first process.

    Raises:
        UsageError: the study is of another search.
        InputError: its plan is damaged.
        RunError: its database cannot be used.
    """
    if request.storage is None:
        return decide()
    from autopeft.search.shared_study import agree

    plain_request = request.to_dict()

    def plain() -> dict[str, Any]:
        plan, choice = decide()
        return {"training": plan.to_dict(), "choice": choice.to_dict()}

    full = {**identity, "methods": list(request.methods)} | {name: plain_request[name] for name in _SAME}
    agreed = agree(_database(run, request, observer), full, plain)
    try:
        return TrainingPlan.from_dict(agreed["training"]), Choice.from_dict(agreed["choice"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        study = request.study or DEFAULT_STUDY
        raise InputError(f"the plan of the study {study!r} is damaged", hint="begin another with --study") from error


def identity(model_config: Mapping[str, Any], task: str, data_fingerprint: str) -> dict[str, Any]:
    """What must be the same for two processes to search for the same thing, wherever its files lie."""
    shape = {name: value for name, value in model_config.items() if not name.startswith("_")}
    digest = sha256(dumps(shape, sort_keys=True, default=str).encode()).hexdigest()
    return {"model": digest, "task": task, "data": data_fingerprint}


def _database(run: RunDirectory, request: SearchRequest, observer: Observer) -> Any:
    from autopeft.search.shared_database import Address, Database

    path = run.path / "member.json"
    if not path.exists():
        write_json(path, {"member": secrets.token_hex(8)})
    assert request.storage is not None  # asked before
    address = Address(request.storage, request.study or DEFAULT_STUDY, read_json(path)["member"])
    return Database(address, observer.note)

"""A run goes on, and is used, only with the base model that it began with and the adapter that it wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autopeft.catalog.load import load_catalog
from autopeft.errors import ModelError
from autopeft.modeling.checksums import checksums, difference
from autopeft.modeling.source import read_model, require_weights
from autopeft.search.run_directory import RunDirectory, intact, read_json, write_json

# Of plan.json.
BASE_CHECKSUMS = "base_checksums"


def require_base_in_place(run: Path, plan: Mapping[str, Any], model: str) -> None:
    """See that the folder with the base model is still there; before a run's first plan, another error tells.

    Args:
        run: the run directory.
        plan: content of plan.json.
        model: folder, file or hub id.

    Raises:
        ModelError: it is a path, and there is nothing.
    """
    if BASE_CHECKSUMS in plan and Path(model).is_absolute() and not Path(model).exists():
        raise ModelError(
            f"the base model of {run} is no longer at {model}",
            hint=f"tell where it is now: `autopeft resume {run} --model FOLDER`",
        )


def same_base(run: Path, plan: Mapping[str, Any], folder: Path | None) -> dict[str, str]:
    """The checksums of the base model: those in the run's plan, where it has some.

    Args:
        run: the run directory.
        plan: content of plan.json.
        folder: with the base's weights.

    Raises:
        ModelError: a file has changed since the run began, or cannot be read.
        InputError: plan.json is damaged.
    """
    assert folder is not None  # weights were required
    now = checksums(folder)
    with intact(run / "plan.json"):
        changed = difference(dict(plan.get(BASE_CHECKSUMS, now)), now)
    if changed is not None:
        raise ModelError(
            f"the base model in {folder} is not what {run} began with: {changed}",
            hint=f"restore it, or `autopeft resume {run} --model FOLDER` with a copy of it; search anew on another",
        )
    return now


def require_same_adapter(run: Path, recorded: Any) -> None:
    """See that `best_adapter/` holds what the search wrote.

    Args:
        run: the run directory.
        recorded: `adapter_checksums` of result.json's `best`; None where it has none.

    Raises:
        ModelError: a file has changed since, or cannot be read.
        InputError: result.json is damaged.
    """
    if recorded is None:
        return
    folder = run / "best_adapter"
    now = checksums(folder)
    with intact(run / "result.json"):
        changed = difference(dict(recorded), now)
    if changed is not None:
        raise ModelError(
            f"the adapter in {folder} is not what the search wrote: {changed}",
            hint="restore it from a copy, or search again; what was trained further elsewhere, load with peft",
        )


def move_base(run: RunDirectory, model: str) -> None:
    """Note that a run's base model now lies elsewhere; only the same files will do.

    Args:
        run: finished or not.
        model: folder or hub id where the base is now.

    Raises:
        ModelError: there is no model, or it is another one.
        InputError: this is no run, or it was stopped before it had read its base.
        RunError: another process works on the run.
    """
    catalog = run.request().catalog
    with run.locked():
        plan = read_json(run.path / "plan.json")
        if BASE_CHECKSUMS not in plan:
            raise ModelError(
                f"{run.path} has not recorded which base model it began with",
                hint="put the model where it was, or start a new run with another --output",
            )
        same_base(run.path, plan, require_weights(read_model(model, load_catalog(beside=catalog))))
        folder = Path(model).expanduser()
        place = str(folder.absolute()) if folder.exists() else model
        write_json(run.path / "plan.json", plan | {"request": plan["request"] | {"model": place}})

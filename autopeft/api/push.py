"""`push`: the best adapter to the hub, only when that is said explicitly."""

import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autopeft.api.finished import FinishedRun, open_finished
from autopeft.api.loading import load_lines
from autopeft.artifacts.hub_folder import PublishedFile, stage, upload
from autopeft.data.encoder import padding_id
from autopeft.errors import RunError, UsageError
from autopeft.modeling.build import renamed_weights
from autopeft.reporting.model_card import model_card

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_BASE_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Push:
    """What is, or would be, uploaded.

    Attributes:
        repository: `owner/name`.
        base: hub id of the base model that the adapter names.
        files: with their sizes.
        address: of the commit; None where nothing was uploaded.
    """

    repository: str
    base: str
    files: tuple[PublishedFile, ...]
    address: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"files": [asdict(file) for file in self.files]}


def push(
    run: str | Path, repository: str, *, base_model: str | None = None, private: bool = False, yes: bool = False
) -> Push:
    """Upload the best adapter with its card; without `yes`, only say what would be.

    Args:
        run: the run directory.
        repository: `owner/name` on the hub.
        base_model: hub id of the base, where the search was given a local folder.
        private: whether a new repository is private.
        yes: whether to upload at all.

    Raises:
        UsageError: no repository name, or a base that others cannot load.
        InputError: the run has no winner.
        RunError: the hub cannot be reached, or refuses.
    """
    if not _HUB_ID.fullmatch(repository):
        raise UsageError(f"{repository!r} names no repository", hint="write --repo owner/name")
    finished = open_finished(run)
    base = _base_of(finished, base_model)
    with tempfile.TemporaryDirectory(prefix="autopeft-push-") as name:
        folder = Path(name)
        files = stage(finished.adapter, _card(finished, base, repository), base, folder)
        address = _uploaded(folder, repository, private=private) if yes else None
    return Push(repository, base, files, address)


def _base_of(run: FinishedRun, given: str | None) -> str:
    if run.request.base_precision is not None:
        raise UsageError(
            f"a model card of ours cannot say yet that the base was held in {run.request.base_precision}",
            hint="merge it with `autopeft merge`, or upload the folder best/ yourself",
        )
    base = given or run.request.model
    if not _BASE_ID.fullmatch(base) or (given is None and Path(base).exists()) or base == "demo":
        raise UsageError(
            f"the base model is a local folder, {base}, which others cannot load"
            if given is None
            else f"{given!r} is no hub id",
            hint="name the same model on the hub with --base-model owner/name",
        )
    return base


def _card(run: FinishedRun, base: str, repository: str) -> str:
    """The model card as others need it: base and adapter by their hub ids, nothing of this machine."""
    own = padding_id(run.tokenizer())
    pad_id = own if run.subject.model.config.get("pad_token_id") != own else None
    labels = {label: number for number, label in enumerate(run.labels)} or None
    renamed = renamed_weights(run.subject.model, run.subject.task)
    lines = load_lines(run.subject.task, run.method, base, repository, labels, pad_id, renamed=renamed)
    asked = run.result["asked"] | {"model": base, "dataset": Path(run.result["asked"]["dataset"]).name, "command": None}
    best = run.result["best"] | {"load": lines, "adapter_path": repository}
    return model_card(run.result | {"asked": asked, "best": best})


def _uploaded(folder: Path, repository: str, *, private: bool) -> str:
    try:
        return upload(folder, repository, private=private)
    except Exception as error:
        # Not chained and not quoted: the text of a request's error can carry headers.
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason = type(error).__name__ if status is None else f"the hub answers {status}"
        raise RunError(
            f"{repository} could not be uploaded ({reason})",
            hint="see that the hub can be reached, and that `hf auth login` gave a token that may write there",
        ) from None

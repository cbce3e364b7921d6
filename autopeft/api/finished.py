"""A run with a winner, opened for the commands that use it: everything resolved, no weights loaded yet."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autopeft.api.preparation import Subject, read_subject
from autopeft.api.run import SearchResult
from autopeft.api.same_files import require_base_in_place, require_same_adapter, same_base
from autopeft.catalog.load import load_catalog
from autopeft.data.encoder import padding_id
from autopeft.domain.methods import MethodSpec
from autopeft.domain.plan import SearchRequest
from autopeft.modeling.adapter_files import load_adapter
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.search.run_directory import RunDirectory, intact, read_json


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What the commands on a finished run need of it.

    Attributes:
        path: the run directory.
        result: content of result.json.
        request: what the search was asked to do.
        subject: base model, architecture and task.
        method: of the winner.
        labels: classes in the order of their numbers; empty where the task has none.
    """

    path: Path
    result: dict[str, Any]
    request: SearchRequest
    subject: Subject
    method: MethodSpec
    labels: tuple[str, ...]

    @property
    def adapter(self) -> Path:
        """The folder of the best adapter."""
        return self.path / "best_adapter"

    @property
    def outputs(self) -> int:
        """Of a classification head."""
        return self.subject.task.outputs or max(2, len(self.labels))

    @property
    def name(self) -> str:
        """Of the run, for people."""
        return str(self.path)

    def tokenizer(self) -> Any:
        """Of the base model.

        Raises:
            ModelError: there is none.
        """
        assert self.subject.model.path is not None  # read_subject saw to it
        return load_tokenizer(self.subject.model.path)

    def unpacked(self) -> "FinishedRun":
        """The same run with a quantised base's weights turned back into float32, whose sums can be stored."""
        model = replace(self.subject.model, unpacked=True)
        return replace(self, subject=replace(self.subject, model=model))

    def load(self, device: str | None = None) -> torch.nn.Module:
        """The adapted model in float32 and evaluation mode.

        Args:
            device: where it goes; by default a CUDA device where there is one.

        Raises:
            ModelError: the base model is not where it was, or the adapter does not fit it.
        """
        where = device or ("cuda" if torch.cuda.is_available() else "cpu")
        model = load_adapter(self.subject.model, self.adapter, self.subject.task, self.outputs, device=where)
        config: Any = model.config
        # A classifier over a decoder finds a row's last token by it: what fills the batches counts.
        config.pad_token_id = padding_id(self.tokenizer())
        return model


def open_finished(run: str | Path) -> FinishedRun:
    """The run in a directory, with its winner.

    Raises:
        InputError: it is no run directory, it has no winner yet, or one of its files is damaged.
        ModelError: the base model is not where it was, or it or the adapter is not what it was.
    """
    opened = SearchResult(run)
    best = opened.best
    request = RunDirectory(opened.path).request()
    plan = read_json(opened.path / "plan.json")
    catalog = load_catalog(beside=request.catalog)
    require_base_in_place(opened.path, plan, request.model)
    subject = read_subject(request, catalog)
    same_base(opened.path, plan, subject.model.path)
    require_same_adapter(opened.path, best.entry.get("adapter_checksums"))
    with intact(opened.path / "result.json"):
        labels = tuple(opened.result["data"]["labels"] or ())
        method = str(best.entry["method"])
    return FinishedRun(opened.path, opened.result, request, subject, catalog.method(method), labels)

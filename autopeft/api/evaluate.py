"""`evaluate`: the best adapter of a finished run measured again, on its own test rows or on other data."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autopeft.api.finished import FinishedRun, open_finished
from autopeft.api.preparation import accepted_arguments, load_data
from autopeft.api.request import longest_sequence
from autopeft.api.search import IN_MEMORY
from autopeft.artifacts.remeasure import ONLY, TEST, measure_split, read_labelled_rows
from autopeft.data.task_data import TaskData, load_task_data_from
from autopeft.data.tokenize import tokenize
from autopeft.domain.evaluation import Evaluation
from autopeft.errors import InputError, RunError
from autopeft.search.verdict import NORMAL_95
from autopeft.training.scoring import metric_standard_error, metric_value


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was measured.

    Attributes:
        run: the run directory.
        dataset: that was measured on.
        split: of it.
        rows: measured (blocks, for a language model).
        metric: name.
        value: of the metric.
        standard_error: of the metric over rows.
        interval: 95 %, by the normal distribution.
        loss: mean per target.
        reported: the metric in the run's result, where these are the same rows; else None.
        difference: from it, or None.
        notes: what was done to other data than the run's own, one sentence each.
    """

    run: str
    dataset: str
    split: str
    rows: int
    metric: str
    value: float
    standard_error: float
    interval: tuple[float, float]
    loss: float
    reported: float | None
    difference: float | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"interval": list(self.interval), "notes": list(self.notes)}


def evaluate(
    run: str | Path,
    dataset: Any = None,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    device: str | None = None,
) -> Evaluated:
    """Measure the best adapter of a run.

    Args:
        run: the run directory.
        dataset: file, folder, hub id, DataFrame or `datasets` object with labels; by default the run's own test
            rows, on which the reported figure is met again.
        split: of `dataset`; by default `test` where there is one, else the only one.
        columns: role -> column, where `dataset` names them otherwise than the training data.
        device: where the model goes; by default a CUDA device where there is one.

    Raises:
        InputError: the run has no winner, or the data cannot be used.
    """
    finished = open_finished(run)
    best = finished.result["best"]
    if dataset is None:
        data, chosen, where = encoded_data(finished), TEST, str(finished.request.dataset)
    else:
        data, chosen = _other_data(finished, dataset, columns or {}, split)
        where = str(dataset) if isinstance(dataset, str | Path) else "(given in Python)"
    batch_size = int(best["evaluation"]["batch_size"])
    task = finished.subject.task
    place = chosen if chosen in data.splits else ONLY
    measured = measure_split(finished.load(device), task, data, place, batch_size, finished.tokenizer())
    shown = chosen if dataset is None or chosen != ONLY or split else "all rows"
    told = _evaluated(finished, where, shown, measured, best["test_metric"] if dataset is None else None)
    return told if dataset is None else replace(told, notes=data.notes)


def _evaluated(run: FinishedRun, dataset: str, split: str, measured: Evaluation, reported: float | None) -> Evaluated:
    metric = run.subject.task.metric
    value, error = metric_value(metric, measured), metric_standard_error(metric, measured)
    assert value is not None and error is not None  # answers were asked for
    return Evaluated(
        run=run.name,
        dataset=dataset,
        split=split,
        rows=len(measured.row_losses),
        metric=metric,
        value=value,
        standard_error=error,
        interval=(value - NORMAL_95 * error, value + NORMAL_95 * error),
        loss=measured.loss,
        reported=reported,
        difference=None if reported is None else value - reported,
    )


def encoded_data(run: FinishedRun) -> TaskData:
    """The run's own encoded data: as it lies in the run directory, else encoded again.

    Raises:
        InputError: it can be found no more, or has changed since.
    """
    wanted = run.result["data"]["fingerprint"], run.result["data"]["max_length"]
    for data in (*_kept_data(run), *_encoded_again(run)):
        if (data.fingerprint, data.max_length) == wanted:
            return data
    raise InputError(
        f"the data of {run.path} has changed, or can be found no more", hint="name a data set with --dataset"
    )


def _kept_data(run: FinishedRun) -> Iterator[TaskData]:
    for meta in sorted(run.path.glob("data/*/data.json")):
        with suppress(RunError):  # damaged, or of another version
            yield load_task_data_from(meta.parent)


def _encoded_again(run: FinishedRun) -> Iterator[TaskData]:
    if run.request.dataset != IN_MEMORY:
        yield load_data(run.request, run.subject, None, run.path / "data").encoded


def _other_data(run: FinishedRun, dataset: Any, columns: Mapping[str, str], split: str | None) -> tuple[TaskData, str]:
    task, data = run.subject.task, run.result["data"]
    rows, chosen, notes = read_labelled_rows(dataset, task, data["columns"], columns, split)
    encoded = tokenize(
        {ONLY: rows},
        task,
        run.tokenizer(),
        int(data["max_length"]),
        label_names=run.labels,
        model_limit=longest_sequence(run.subject.model, run.subject.architecture),
        accepted_arguments=accepted_arguments(run.subject),
    )
    return replace(encoded, notes=notes + encoded.notes), chosen

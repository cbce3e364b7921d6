"""A worker's base model and data, loaded the same way in this process and in another one."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from autopeft.catalog.load import load_catalog
from autopeft.data.own_metrics import imported_metric, use_own_metric
from autopeft.data.task_data import TaskData, load_task_data_from
from autopeft.domain.methods import MethodSpec
from autopeft.domain.metrics import with_metric, writes_answers
from autopeft.domain.models import ArchitectureSpec, ModelSpec, Quantization
from autopeft.domain.plan import TrainingPlan
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import load_base
from autopeft.modeling.checksums import checksums, difference
from autopeft.modeling.source import read_model, require_weights
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.training.checkpoint import load_tensors
from autopeft.training.device_memory import best_device, hold_to_budget
from autopeft.training.head_start import with_head_start
from autopeft.training.ranks import Ranks
from autopeft.training.worker import Worker


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a process needs to load a worker, as plain JSON values.

    Attributes:
        model: folder with the weights.
        task: id.
        data: folder of the encoded data.
        plan: what every slice shares, as a dict.
        catalog: folder of the user's own methods beside the shipped ones, or None.
        metric: that the user chose, or None for the task's.
        own_metric: whether it is `module:function` of the user's, which the process imports. Said by the process that
            was given the function; no file can.
        head_start: file with the head that every run starts from, or None.
        threads: CPU threads, or None for torch's choice.
        budget_bytes: what training may use of the device, or None.
        context_bytes: of it, taken by the device's context.
        base_precision: layout of the frozen base's weights, or None for float32.
        base_checksums: of the base's files when the search began, or None for whatever they are.
        ranks: processes that train each trial together, its model divided over their devices; 1 trains alone.
    """

    model: str
    task: str
    data: str
    plan: Mapping[str, Any]
    catalog: str | None = None
    metric: str | None = None
    own_metric: bool = False
    head_start: str | None = None
    threads: int | None = None
    budget_bytes: int | None = None
    context_bytes: int = 0
    base_precision: Quantization | None = None
    base_checksums: Mapping[str, str] | None = None
    ranks: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def worker_from(setup: WorkerSetup, ranks: Ranks | None = None) -> Worker:
    """Load what the setup names.

    Args:
        setup: what to load.
        ranks: the processes that this one trains together with, or None.

    Raises:
        AutopeftError: something of it is not there any more, damaged, or not what the search began with.
    """
    if setup.own_metric and setup.metric is not None:
        use_own_metric(setup.metric, imported_metric(setup.metric))
    catalog = load_catalog(beside=setup.catalog)
    model = replace(read_model(setup.model, catalog), quantization=setup.base_precision)
    if setup.base_checksums is not None:
        _require_the_same_base(require_weights(model), setup.base_checksums)
    architecture = architecture_of(model.config, catalog)
    worker = load_worker(
        model,
        with_metric(catalog.task(setup.task).on(architecture.kind), setup.metric),
        architecture,
        load_task_data_from(Path(setup.data)),
        catalog.methods,
        TrainingPlan.from_dict(setup.plan),
        threads=setup.threads,
        on_host=ranks is not None,
    )
    worker = replace(worker, ranks=ranks)
    hold_to_budget(worker.device, setup.budget_bytes, setup.context_bytes)
    return worker if setup.head_start is None else with_head_start(worker, load_tensors(Path(setup.head_start)))


def settle() -> None:
    """Take all that is loaded out of the garbage collector's rounds, for as long as this process lives.

    It stays anyhow, and a full round over torch's and transformers' objects takes 0.3 s in the middle of a slice.
    """
    gc.collect()
    gc.freeze()


def _require_the_same_base(folder: Path, recorded: Mapping[str, str]) -> None:
    """A process that replaces another, hours later, must not go on with another model."""
    changed = difference(recorded, checksums(folder))
    if changed is not None:
        raise ModelError(
            f"the base model in {folder} is not what the search began with: {changed}",
            hint="restore it, then `autopeft resume`",
        )


def load_worker(
    model: ModelSpec,
    task: TaskSpec,
    architecture: ArchitectureSpec,
    data: TaskData,
    methods: Mapping[str, MethodSpec],
    plan: TrainingPlan,
    *,
    threads: int | None,
    on_host: bool = False,
) -> Worker:
    """The base model with its weights on the best device there is, or `on_host` in the machine's own memory.

    Raises:
        ModelError: there are no usable weights.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    device = torch.device("cpu") if on_host else best_device()
    base: PreTrainedModel = load_base(model, task, data.outputs, dtype="float32", device=device)
    # A classifier over a decoder finds a row's last token by it: what fills the batches counts, not the config's word.
    base.config.pad_token_id = data.pad_id
    tokenizer = load_tokenizer(require_weights(model)) if writes_answers(task) else None
    return Worker(base, task, architecture, methods, data, plan, tokenizer=tokenizer)

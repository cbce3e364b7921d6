"""From a request to a loaded base model and encoded data, ready for slices."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from autopeft.api.request import choose_task, longest_sequence
from autopeft.catalog.contents import Catalog
from autopeft.data.demo import demo_dataset, demo_model_path
from autopeft.data.files import TextDocuments
from autopeft.data.load import LoadedData, load_task_data
from autopeft.data.task_data import TaskData
from autopeft.domain.metrics import with_metric
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.prompt_template import with_template
from autopeft.domain.tasks import TaskSpec
from autopeft.execution import loading
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.source import read_model, require_weights
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.training.worker import Worker

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be tuned, checked before anything heavy is loaded.

    Attributes:
        model: with its folder of weights.
        architecture: of the model.
        task: what it is tuned for.
    """

    model: ModelSpec
    architecture: ArchitectureSpec
    task: TaskSpec


def read_subject(request: SearchRequest, catalog: Catalog) -> Subject:
    """Resolve model and task, and see that there are weights.

    Raises:
        ModelError: no such model, no weights, or an unknown architecture.
        UsageError: no such task, one that the model cannot do, or a metric or prompt template that does not suit it.
    """
    name = str(demo_model_path()) if request.model == DEMO else request.model
    model = read_model(name, catalog)
    architecture = architecture_of(model.config, catalog)
    chosen = choose_task(catalog, request.task or None, architecture, request.model)
    task = with_metric(with_template(chosen, request.prompt_template), request.metric)
    folder = require_weights(model)
    found = ModelSpec(model.name, model.config, folder, model.source, request.base_precision)
    return Subject(found, architecture, task)


def load_data(request: SearchRequest, subject: Subject, source: Any, cache_dir: Path) -> LoadedData:
    """Read, check and encode the data.

    Args:
        request: columns, caps, seed.
        subject: model and task.
        source: an object given in Python, or None to read `request.dataset`.
        cache_dir: where encoded arrays are kept.

    Raises:
        DataError: the data cannot be used.
    """
    if source is None:
        source = demo_dataset(request.seed) if request.dataset == DEMO else request.dataset
    assert subject.model.path is not None  # require_weights gave one
    return load_task_data(
        source,
        subject.task,
        load_tokenizer(subject.model.path),
        columns=request.columns,
        splits=request.splits,
        documents=cast(TextDocuments, request.documents),
        group_column=request.group_column,
        max_bad_rows=request.max_bad_rows,
        allow_overlap=request.allow_overlap,
        split_seed=request.seed,
        max_train_rows=request.max_train_rows,
        max_evaluation_rows=request.max_evaluation_rows,
        max_length=request.max_length,
        model_limit=longest_sequence(subject.model, subject.architecture),
        accepted_arguments=accepted_arguments(subject),
        cache_dir=cache_dir,
    )


def accepted_arguments(subject: Subject) -> list[str]:
    """Names that the model's forward takes, found without loading weights."""
    from autopeft.domain.memory import StepShape
    from autopeft.modeling.build import build_on_meta

    return list(inspect.signature(build_on_meta(subject.model, subject.task, StepShape()).forward).parameters)


def load_worker(
    subject: Subject,
    data: TaskData,
    catalog: Catalog,
    plan: TrainingPlan,
    *,
    threads: int | None,
    on_host: bool = False,
) -> Worker:
    """The base model with its weights on the best device there is, or `on_host` in the machine's own memory."""
    model, methods = subject.model, catalog.methods
    return loading.load_worker(
        model, subject.task, subject.architecture, data, methods, plan, threads=threads, on_host=on_host
    )


def fast_autocast() -> str | None:
    """bfloat16 where this machine multiplies it fast, else None."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else None
    capabilities: Mapping[str, Any] = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else None

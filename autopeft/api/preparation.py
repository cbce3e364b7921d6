"""From a request to a loaded base model and encoded data, ready for slices."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel

from autopeft.api.request import choose_task, longest_sequence
from autopeft.catalog.contents import Catalog
from autopeft.data.demo import demo_dataset, demo_model_path
from autopeft.data.load import LoadedData, load_task_data
from autopeft.data.task_data import TaskData
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import ModelError
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import load_base
from autopeft.modeling.config import first_line
from autopeft.modeling.source import read_model, require_weights
from autopeft.training.worker import Worker

DEMO = "demo"
# Not even a byte-level tokenizer has as few; an empty T5 one keeps a lone word boundary.
_LEAST_VOCABULARY = 2


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
        UsageError: no such task, or one that the model cannot do.
    """
    name = str(demo_model_path()) if request.model == DEMO else request.model
    model = read_model(name, catalog)
    architecture = architecture_of(model.config, catalog)
    task = choose_task(catalog, request.task or None, architecture, request.model)
    folder = require_weights(model)
    return Subject(ModelSpec(model.name, model.config, folder, model.source), architecture, task)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder.

    Raises:
        ModelError: there is none.
    """
    hint = "put the base model's tokenizer.json beside the weights"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"no tokenizer can be loaded from {folder}: {first_line(error)}", hint=hint) from error
    # Without any file, some classes come up empty and turn every word into the unknown token.
    words = set(tokenizer.get_vocab()) - set(tokenizer.get_added_vocab()) - set(tokenizer.all_special_tokens)
    if len(words) < _LEAST_VOCABULARY:
        raise ModelError(f"{folder} has no tokenizer: its vocabulary is empty", hint=hint)
    return tokenizer


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
        split_seed=request.seed,
        max_train_rows=request.max_train_rows,
        max_evaluation_rows=request.max_evaluation_rows,
        max_length=request.max_length,
        model_limit=longest_sequence(subject.model, subject.architecture),
        accepted_arguments=_accepted_arguments(subject),
        cache_dir=cache_dir,
    )


def _accepted_arguments(subject: Subject) -> list[str]:
    """Names that the model's forward takes, found without loading weights."""
    from autopeft.domain.memory import StepShape
    from autopeft.modeling.build import build_on_meta

    return list(inspect.signature(build_on_meta(subject.model, subject.task, StepShape()).forward).parameters)


def load_worker(
    subject: Subject, data: TaskData, catalog: Catalog, plan: TrainingPlan, *, threads: int | None
) -> Worker:
    """The base model with its weights on the best device there is."""
    if threads is not None:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base: PreTrainedModel = load_base(
        subject.model, subject.task, max(2, len(data.label_names)), dtype="float32", device=device
    )
    if base.config.pad_token_id is None:
        # A classifier over a decoder finds a row's last token by it; the tokenizer may have chosen a stand-in.
        base.config.pad_token_id = data.pad_id
    return Worker(base, subject.task, subject.architecture, catalog.methods, data, plan)


def fast_autocast() -> str | None:
    """bfloat16 where this machine multiplies it fast, else None."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else None
    capabilities: Mapping[str, Any] = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else None

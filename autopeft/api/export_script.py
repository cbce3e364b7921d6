"""`recommend --export`: a peft configuration and a training script that need no search."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from autopeft.api.keep_advice import write_text
from autopeft.api.training_script import training_script
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec, ModelSpec
from autopeft.domain.recommendation import Candidate, Recommendation
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import NothingFitsError, UsageError

if TYPE_CHECKING:
    from peft import PeftConfig

_FULL: Final = "FULL"
# What a tuner does in training beyond its forward pass (`modeling.training_hooks`): a plain loop would leave it out.
_HOOKS: Final = ("training_loss", "start_from_data", "after_update")


def export_candidate(
    answer: Recommendation, folder: Path, method: str | None = None, beside: str | Path | None = None
) -> list[str]:
    """Write `adapter_config.json` and `train.py` for a candidate; what was written, in words.

    Args:
        answer: of the recommender.
        folder: made where it is missing.
        method: of a candidate; by default the first.
        beside: the folder of own methods that was recommended from, read beside the shipped catalogue.

    Raises:
        NothingFitsError: there is no such candidate.
        ModelError: peft refuses the method on this model.
        UsageError: no plain script trains it, or the files cannot be written.
    """
    from autopeft.catalog.load import load_catalog
    from autopeft.modeling.architecture import architecture_of
    from autopeft.modeling.source import read_model

    catalog = load_catalog(beside=beside)
    candidate = _chosen(answer, method)
    spec = catalog.method(candidate.method)
    model = read_model(answer.model, catalog)
    architecture = architecture_of(model.config, catalog)
    task = catalog.task(answer.task).on(architecture.kind)
    _require_adamw(spec)
    base_name = str(model.path.resolve()) if model.path else model.name
    config = None if spec.builder == _FULL else _peft_config(candidate, spec, model, task, architecture)
    script = training_script(
        candidate,
        task,
        model=base_name,
        epochs=float(answer.facts["epochs"]),
        own_tuner=config is not None and type(config).__module__.startswith("autopeft."),
        full=config is None,
    )
    write_text(folder / "train.py", script)
    written = ["train.py"]
    if config is not None:
        config.base_model_name_or_path = base_name
        config.save_pretrained(str(folder))
        written.insert(0, "adapter_config.json")
    return [f"{candidate.title}: {' and '.join(written)} in {folder}", f"next: python {folder / 'train.py'} DATA.jsonl"]


def _chosen(answer: Recommendation, method: str | None) -> Candidate:
    for one in answer.candidates:
        if method in (None, one.method):
            return one
    raise NothingFitsError(
        f"{method} is no candidate here" if method else "there is no candidate to export",
        hint="give more memory, or a shorter --max-length",
    )


def _peft_config(
    candidate: Candidate, spec: MethodSpec, model: ModelSpec, task: TaskSpec, architecture: ArchitectureSpec
) -> "PeftConfig":
    """The configuration that wraps this model, tried on the meta device."""
    from peft import PeftModel

    from autopeft.modeling.build import build_on_meta
    from autopeft.modeling.wrap import wrap

    shape = replace(candidate.shape, quantization=None, gradient_checkpointing=False)
    wrapped = wrap(build_on_meta(model, task, shape), spec, candidate.start, task, architecture)
    if not isinstance(wrapped, PeftModel):
        raise _more_than_a_loop(spec)
    config: PeftConfig = wrapped.peft_config["default"]
    if getattr(config, "init_lora_weights", None) == "eva" or any(
        hasattr(type(wrapped.base_model), name) for name in _HOOKS
    ):
        raise _more_than_a_loop(spec)
    return config


def _require_adamw(spec: MethodSpec) -> None:
    if spec.update != "adamw":
        raise _more_than_a_loop(spec)


def _more_than_a_loop(spec: MethodSpec) -> UsageError:
    return UsageError(
        f"{spec.title} does more in training than a plain loop",
        hint=f"`autopeft search --methods {spec.id}` trains it; or export another with --methods",
    )

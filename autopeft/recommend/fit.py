"""Whether a method can be used at all: the catalogue's word on it, and the memory budget."""

from autopeft.domain.memory import MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.recommendation import Recommendation
from autopeft.domain.rules import Reason
from autopeft.domain.step_checks import refused_method
from autopeft.domain.tasks import TaskSpec
from autopeft.domain.units import format_bytes
from autopeft.errors import ModelError, NothingFitsError
from autopeft.recommend.batch import FittedStep
from autopeft.recommend.engine import source_text
from autopeft.recommend.options import Options
from autopeft.recommend.ranking import TRACED


def catalog_objections(method: MethodSpec, task: TaskSpec, architecture: ArchitectureSpec) -> tuple[Reason, ...]:
    """Why the method's own entry in the catalogue rules it out here; empty if it does not."""
    texts = []
    if method.tasks and not {task.id, task.known_as} & set(method.tasks):
        texts.append(f"does not support {task.id}; it supports {', '.join(method.tasks)}")
    if method.architectures and architecture.kind not in method.architectures:
        texts.append(f"does not apply to an {architecture.kind}; it applies to {', '.join(method.architectures)}")
    texts += [
        f"needs an architecture that {fact.replace('_', ' ')}, and {architecture.id} has none"
        for fact in method.requires
        if getattr(architecture, fact, None) is False
    ]
    source = source_text(method.sources[0]) if method.sources else f"methods/{method.id}.yaml"
    return tuple(Reason("catalog", text, source) for text in texts)


def step_objections(method: MethodSpec, shape: StepShape) -> tuple[Reason, ...]:
    """Why the method cannot run such a step at all; empty if it can."""
    refusal = refused_method(method, shape)
    return (Reason("catalog", refusal.message, f"methods/{method.id}.yaml"),) if refusal else ()


def weights_fit(base_parameters: int, options: Options) -> bool:
    """Whether it is worth a trace: the base's weights alone are within the budget."""
    weight_bytes = base_parameters * options.shape.least_bytes_per_parameter
    return options.budget_bytes is None or weight_bytes + options.context_bytes <= options.budget_bytes


def needed_bytes(estimate: MemoryEstimate, options: Options) -> int:
    """Device memory that the step needs: what the allocator reserves and the device context."""
    return estimate.reserved_bytes + options.context_bytes


def over_budget(step: FittedStep, options: Options) -> tuple[Reason, ...]:
    """Why the method does not fit: what its leanest way to run the step needs; empty without a budget."""
    if options.budget_bytes is None:
        return ()
    needed = needed_bytes(step.estimate, options)
    text = (
        f"needs {format_bytes(needed)} at {describe_batch(step.shape)}, "
        f"{format_bytes(needed - options.budget_bytes)} more than the budget"
    )
    return (Reason("memory", text, TRACED),)


def describe_batch(shape: StepShape) -> str:
    """Micro-batch, accumulation and recomputation in words."""
    text = f"batch {shape.batch_size}"
    if shape.accumulation > 1:
        text += f" x {shape.accumulation}"
    return f"{text}, activations recomputed" if shape.gradient_checkpointing else text


def require_candidates(answer: Recommendation) -> None:
    """Do nothing when at least one method is recommended.

    Raises:
        NothingFitsError: none is; names the nearest that would fit, and what it needs.
        ModelError: no method could be estimated at all.
    """
    if answer.candidates:
        return
    estimated = [(one.estimate.reserved_bytes, one.title) for one in answer.excluded if one.estimate]
    if estimated and answer.budget_bytes is not None:
        reserved, title = min(estimated)
        needed = reserved + int(answer.facts["context_bytes"])
        raise NothingFitsError(
            f"no method fits {format_bytes(answer.budget_bytes)} with {answer.model}: the nearest, {title}, "
            f"needs {format_bytes(needed)}",
            hint=_less_memory(answer),
        )
    why = f": {answer.excluded[0].title}: {answer.excluded[0].reasons[0].text}" if answer.excluded else ""
    if answer.excluded and all(one.reasons[0].rule == "unknown" for one in answer.excluded):
        raise ModelError(f"no method could be estimated for {answer.model}{why}", hint="check the model's config.json")
    raise NothingFitsError(
        f"no method can be used with {answer.model} on {answer.task}{why}",
        hint="leave out --methods to see all of them",
    )


def _less_memory(answer: Recommendation) -> str:
    if answer.advice:
        return answer.advice[-1].text
    context_bytes = int(answer.facts["context_bytes"])
    if answer.budget_bytes is not None and answer.budget_bytes <= context_bytes:
        return f"the device's own context takes {format_bytes(context_bytes)} of it: name more"
    return f"try a --max-length below {answer.facts['max_length']}, or a smaller model"

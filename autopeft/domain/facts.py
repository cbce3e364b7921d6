"""The fact vocabulary: every name that a rule's condition may use, with its type, unit and meaning.

A fact that nobody knows is None. A comparison with it is unknown, and an unknown condition never fires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from autopeft.domain.tasks import Objective

FactKind = Literal["number", "text", "flag"]
FactValue = bool | int | float | str | None
Facts = Mapping[str, FactValue]


@dataclass(frozen=True, slots=True)
class Fact:
    """One name of the vocabulary.

    Attributes:
        name: as conditions write it.
        kind: number, text or flag (true or false).
        unit: of a number; empty where it has none.
        meaning: one sentence for people.
        phrase: what stands before the comparison in a sentence; of a flag, the sentence that it makes true.
        otherwise: of a flag, the sentence that it makes false.
        values: what a text may be; empty where it is open.
        may_exclude: whether it can make a method impossible. What only bears on quality, such as the number of
            rows, may not stand in the condition of a rule that excludes.
    """

    name: str
    kind: FactKind
    unit: str
    meaning: str
    phrase: str
    otherwise: str = ""
    values: tuple[str, ...] = ()
    may_exclude: bool = False


def _number(name: str, unit: str, phrase: str, meaning: str, *, may_exclude: bool = False) -> Fact:
    return Fact(name, "number", unit, meaning, phrase, may_exclude=may_exclude)


def _text(name: str, phrase: str, meaning: str, *values: str, may_exclude: bool = False) -> Fact:
    return Fact(name, "text", "", meaning, phrase, values=values, may_exclude=may_exclude)


def _flag(name: str, phrase: str, otherwise: str, meaning: str, *, may_exclude: bool = False) -> Fact:
    return Fact(name, "flag", "", meaning, phrase, otherwise, may_exclude=may_exclude)


_BASE = (
    _number(
        "model_parameters",
        "parameters",
        "the base model's size",
        "size of the base model, without task head and adapter",
    ),
    _text(
        "model_type",
        "the model type",
        "`model_type` of the model's config.json, such as bert or llama",
        may_exclude=True,
    ),
    _text(
        "architecture_kind",
        "the architecture",
        "encoder, decoder or encoder-decoder",
        "encoder",
        "decoder",
        "encoder-decoder",
        may_exclude=True,
    ),
    _flag(
        "has_biases",
        "the linear layers have biases",
        "the linear layers have no biases",
        "whether the linear layers of the architecture carry biases",
        may_exclude=True,
    ),
    _number(
        "context_tokens",
        "tokens",
        "the base model's longest input",
        "longest input that the model's config allows; unknown where it names no limit",
        may_exclude=True,
    ),
)
_TASK = (
    _text("task", "the task", "task id, such as sequence-classification", may_exclude=True),
    _text(
        "task_type",
        "the kind of task",
        "what a row asks for: classification, generation, ...",
        *get_args(Objective),
        may_exclude=True,
    ),
    _flag(
        "generates",
        "the task is to write text",
        "the task is not to write text",
        "whether the model is tuned to write text rather than to choose among labels",
        may_exclude=True,
    ),
    _number("training_rows", "rows", "the number of training rows", "labelled examples to train on"),
    _number("epochs", "", "the number of epochs", "passes over the training rows"),
    _number("max_steps", "steps", "the length of a full training", "optimizer steps of one full training run"),
    _number(
        "minority_share",
        "of the rows",
        "the share of the rarest class",
        "rows of the rarest class over all rows; unknown without classes",
    ),
    _number("length_p50", "tokens", "half of the texts' length", "tokens that half of the training texts stay within"),
    _number(
        "length_p95", "tokens", "the length of 95 % of the texts", "tokens that 95 % of the training texts stay within"
    ),
    _number("length_max", "tokens", "the longest text", "tokens of the longest training text"),
    _number(
        "label_noise",
        "of the rows",
        "the share of contradicting rows",
        "rows whose text also stands with another label, over all rows",
    ),
)
_TUNING = (
    _number(
        "trials",
        "",
        "the number of trials",
        "configurations that will be tried; 1 means the starting values only",
    ),
    _flag(
        "few_trials",
        "three configurations or fewer are tried",
        "more than three configurations are tried",
        "three configurations or fewer: the survey's own search was three learning rates",
    ),
)
_STEP = (
    _number("batch_size", "sequences", "the batch", "sequences in one optimizer step"),
    _number("micro_batch_size", "sequences", "the micro-batch", "sequences in one forward pass"),
    _number("max_length", "tokens", "the sequence length", "tokens in a training sequence", may_exclude=True),
    _flag(
        "gradient_checkpointing",
        "activations are recomputed",
        "activations are kept",
        "whether activations are recomputed to save memory",
        may_exclude=True,
    ),
    _flag(
        "quantized_base",
        "the base is quantised",
        "the base is not quantised",
        "whether the frozen base model is stored in 4 or 8 bit",
        may_exclude=True,
    ),
    _number("gpus", "devices", "the number of devices", "devices that train together", may_exclude=True),
    _flag(
        "sharded",
        "the weights are sharded over the devices",
        "each device holds all weights",
        "whether the base model is split over the devices (FSDP)",
        may_exclude=True,
    ),
)
_MEMORY = (
    _number(
        "budget_bytes", "bytes", "the memory budget", "memory that training may use on the device", may_exclude=True
    ),
    _number(
        "context_bytes",
        "bytes",
        "the device's own context",
        "what the process takes on the device beside the allocator's memory",
        may_exclude=True,
    ),
    _number(
        "weight_bytes",
        "bytes",
        "the base model's weights",
        "the frozen base model's weights in their dtype",
        may_exclude=True,
    ),
    _number(
        "memory_ratio",
        "times the weights",
        "the memory budget",
        "budget_bytes over weight_bytes",
        may_exclude=True,
    ),
)
_WISHES = (
    _flag(
        "no_inference_overhead",
        "the result must run as fast as the base model",
        "the result may run slower than the base model",
        "whether the result must run as fast as the base model",
        may_exclude=True,
    ),
    _flag(
        "mergeable",
        "the adapter must merge into the weights",
        "the adapter may stay beside the weights",
        "whether the adapter has to be merged into the base model",
        may_exclude=True,
    ),
    _number(
        "adapters_to_serve",
        "adapters",
        "the number of adapters served over one base",
        "adapters that are served, or stored, over the same base model",
    ),
    _number(
        "max_adapter_bytes",
        "bytes",
        "the largest adapter allowed",
        "what the saved adapter may take on disk, at four bytes a parameter",
        may_exclude=True,
    ),
    _number(
        "max_latency_overhead",
        "of the base model's time",
        "the slowdown allowed at inference",
        "how much longer inference may take than the base model's, as a share of it",
        may_exclude=True,
    ),
    _text(
        "priority",
        "what matters most",
        "what matters most: quality, memory, speed or size",
        "quality",
        "memory",
        "speed",
        "size",
    ),
)

FACTS: Mapping[str, Fact] = MappingProxyType(
    {fact.name: fact for fact in (*_BASE, *_TASK, *_TUNING, *_STEP, *_MEMORY, *_WISHES)}
)

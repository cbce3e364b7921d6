"""The fact vocabulary: every name that a rule's condition may use, with its type, unit and meaning.

A fact that nobody knows is None. A comparison with it is unknown, and an unknown condition never fires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

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
    """

    name: str
    kind: FactKind
    unit: str
    meaning: str


_ALL = (
    Fact("model_parameters", "number", "parameters", "size of the base model, without task head and adapter"),
    Fact("model_type", "text", "", "`model_type` of the model's config.json, such as bert or llama"),
    Fact("architecture_kind", "text", "", "encoder, decoder or encoder-decoder"),
    Fact("has_biases", "flag", "", "whether the linear layers of the architecture carry biases"),
    Fact("task", "text", "", "task id, such as sequence-classification"),
    Fact("training_rows", "number", "rows", "labelled examples to train on"),
    Fact("epochs", "number", "", "passes over the training rows"),
    Fact("max_steps", "number", "steps", "optimizer steps of one full training run"),
    Fact("trials", "number", "", "configurations that will be tried; 1 means the starting values only"),
    Fact(
        "few_trials",
        "flag",
        "",
        "three configurations or fewer: the survey's own search was three learning rates",
    ),
    Fact("batch_size", "number", "sequences", "sequences in one optimizer step"),
    Fact("micro_batch_size", "number", "sequences", "sequences in one forward pass"),
    Fact("max_length", "number", "tokens", "tokens in a training sequence"),
    Fact("gradient_checkpointing", "flag", "", "whether activations are recomputed to save memory"),
    Fact("budget_bytes", "number", "bytes", "memory that training may use on the device"),
    Fact(
        "context_bytes",
        "number",
        "bytes",
        "what the process takes on the device beside the allocator's memory",
    ),
    Fact("weight_bytes", "number", "bytes", "the frozen base model's weights in their dtype"),
    Fact("memory_ratio", "number", "", "budget_bytes over weight_bytes"),
    Fact("no_inference_overhead", "flag", "", "whether the result must run as fast as the base model"),
    Fact("priority", "text", "", "what matters most: quality, memory or speed"),
)

FACTS: Mapping[str, Fact] = MappingProxyType({fact.name: fact for fact in _ALL})

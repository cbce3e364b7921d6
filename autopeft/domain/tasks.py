"""A task as the catalogue describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autopeft.domain.methods import Source

HeadKind = Literal["sequence-classification", "causal-lm", "seq2seq-lm"]


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task (`search_spaces/tasks/<id>.yaml`).

    Attributes:
        id: such as `sequence-classification`.
        title: for people.
        head: which of transformers' Auto classes carries it.
        peft_task_type: peft's `TaskType` name.
        metric: what the winner is selected by (`accuracy`, `loss`, ...).
        maximize: whether a greater metric is better.
        columns: role -> column names that are recognised without an option, best first.
        optional_columns: the roles among them that a data set may lack.
        architectures: kinds of base model it runs on.
        default_batch_size: sequences in one optimizer step.
        default_max_length: tokens, where the data does not say otherwise.
        sources: where the definition comes from.
    """

    id: str
    title: str
    head: HeadKind
    peft_task_type: str
    metric: str
    maximize: bool
    columns: Mapping[str, tuple[str, ...]]
    optional_columns: tuple[str, ...]
    architectures: tuple[str, ...]
    default_batch_size: int
    default_max_length: int
    sources: tuple[Source, ...] = ()

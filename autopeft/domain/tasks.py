"""A task as the catalogue describes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from autopeft.domain.methods import Source

HeadKind = Literal[
    "sequence-classification",
    "token-classification",
    "question-answering",
    "multiple-choice",
    "causal-lm",
    "seq2seq-lm",
]
# What a row asks for, and so how it is encoded and what an answer to it is.
Objective = Literal[
    "classification",
    "multi-label",
    "regression",
    "choice",
    "tagging",
    "span",
    "generation",
    "language-model",
    "chat",
]
# What a cell of a role holds; `autopeft.data.cells` reads each.
CellKind = Literal["text", "class", "classes", "number", "tokens", "tags", "spans", "answers", "choices", "messages"]
_WRITING: tuple[Objective, ...] = ("generation", "language-model", "chat")
LABEL_ROLE = "label"
TARGET_ROLE = "target"
COMPLETION_ROLE = "completion"
_ANSWERING_KINDS: tuple[CellKind, ...] = ("class", "classes", "number", "tags", "spans", "answers")
# A role within a template.
PLACEHOLDER = re.compile(r"\{([a-z_0-9]+)\}")


@dataclass(frozen=True, slots=True)
class Head:
    """What stands behind a kind of head.

    Attributes:
        auto_class: of transformers.
        peft_task_type: peft's `TaskType` name.
        known_as: the id of the plainest task with this head: what methods and rules name.
    """

    auto_class: str
    peft_task_type: str
    known_as: str


# peft has no task type for multiple choice; its sequence classification hands all arguments on to the model.
HEADS: Mapping[HeadKind, Head] = MappingProxyType(
    {
        "sequence-classification": Head("AutoModelForSequenceClassification", "SEQ_CLS", "sequence-classification"),
        "token-classification": Head("AutoModelForTokenClassification", "TOKEN_CLS", "token-classification"),
        "question-answering": Head("AutoModelForQuestionAnswering", "QUESTION_ANS", "question-answering"),
        "multiple-choice": Head("AutoModelForMultipleChoice", "SEQ_CLS", "multiple-choice"),
        "causal-lm": Head("AutoModelForCausalLM", "CAUSAL_LM", "causal-lm"),
        "seq2seq-lm": Head("AutoModelForSeq2SeqLM", "SEQ_2_SEQ_LM", "text-to-text"),
    }
)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task (`search_spaces/tasks/<id>.yaml`).

    Attributes:
        id: such as `sequence-classification`.
        title: for people.
        objective: what a row asks for.
        head: which of transformers' Auto classes carries it; see `on`.
        peft_task_type: peft's `TaskType` name.
        metric: what the winner is selected by (`accuracy`, `loss`, ...); see `domain.metrics`.
        maximize: whether a greater metric is better.
        columns: role -> column names that are recognised without an option, best first.
        optional_columns: the roles among them that a data set may lack.
        architectures: kinds of base model it runs on.
        default_batch_size: sequences in one optimizer step.
        default_max_length: tokens, where the data does not say otherwise.
        sources: where the definition comes from.
        kinds: role -> what its cells hold, where that is not the default; see `kind_of`.
        forms: sets of roles that a data set may come in, best first; empty where every role that is not optional
            is needed.
        heads: kind of base model -> head, where it is another than `head`.
        templates: how the input is written out as one text, with roles in braces; the first whose roles a data set
            has. Empty where the model takes the roles as they are.
        answer_words: label -> what is generated for it; a label that is not named is generated as it is.
    """

    id: str
    title: str
    objective: Objective
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
    kinds: Mapping[str, CellKind] = field(default_factory=dict)
    forms: tuple[tuple[str, ...], ...] = ()
    heads: Mapping[str, HeadKind] = field(default_factory=dict)
    templates: tuple[str, ...] = ()
    answer_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def known_as(self) -> str:
        """The id by which methods and rules speak of tasks with this head."""
        return HEADS[self.head].known_as

    @property
    def outputs(self) -> int | None:
        """Outputs of the head where the task fixes them; None where the data decides."""
        return 1 if self.objective == "regression" else None

    @property
    def writes(self) -> bool:
        """Whether a row is answered with text of its own rather than with a label, be it a written one."""
        return self.objective in _WRITING and LABEL_ROLE not in self.columns

    def on(self, kind: str) -> "TaskSpec":
        """The task with the head that a base model of `kind` (encoder, decoder, ...) takes for it."""
        return self.with_head(self.heads.get(kind, self.head))

    def with_head(self, head: HeadKind) -> "TaskSpec":
        """The task with that head."""
        return self if head == self.head else replace(self, head=head, peft_task_type=HEADS[head].peft_task_type)

    def kind_of(self, role: str) -> CellKind:
        """What a cell of `role` holds: a class for the label, text for any other role, where nothing else is said."""
        return self.kinds.get(role) or ("class" if role == LABEL_ROLE else "text")

    def answers_with(self, role: str) -> bool:
        """Whether `role` is what a row is answered with, not what it asks."""
        return role in (TARGET_ROLE, COMPLETION_ROLE) or self.kind_of(role) in _ANSWERING_KINDS

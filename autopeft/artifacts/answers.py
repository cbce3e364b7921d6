"""What a model says about a batch of rows, as plain values: one answer a row, by the task's objective.

Shapes: B rows, C labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from autopeft.data.encoder import padding_id
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import UsageError
from autopeft.training.writing import Writer, write_greedily

Answer = dict[str, Any]
PREDICTION, PROBABILITIES = "prediction", "probabilities"
# Enough to tell any two apart that float32 does not blur.
_DIGITS = 6
# A label of several goes along when it is likelier than not.
_LIKELY = 0.5


class Answerer(Protocol):
    """Asks a model about a batch.

    Attributes:
        blank: the answer to a row without text: the same names, nothing known.
    """

    blank: Answer

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """One answer a row, in the batch's order."""


class OneLabel:
    """The likeliest label, and how likely each is.

    Args:
        labels: in the order of their numbers.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self.blank: Answer = {PREDICTION: None, PROBABILITIES: dict.fromkeys(labels)}

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """`prediction` and `probabilities` {label: 0 to 1}, which sum to one."""
        shares = model(**batch).logits.float().softmax(-1)
        best = shares.argmax(-1).tolist()
        return [
            {PREDICTION: self._labels[first], PROBABILITIES: _rounded(self._labels, row)}
            for first, row in zip(best, shares.tolist(), strict=True)
        ]


class ManyLabels:
    """Every label that is likelier than not.

    Args:
        labels: in the order of their numbers.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self.blank: Answer = {PREDICTION: None, PROBABILITIES: dict.fromkeys(labels)}

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """`prediction`, a list of labels, and `probabilities` {label: 0 to 1}, each by itself."""
        rows = model(**batch).logits.float().sigmoid().tolist()
        return [
            {
                PREDICTION: [label for label, share in zip(self._labels, row, strict=True) if share > _LIKELY],
                PROBABILITIES: _rounded(self._labels, row),
            }
            for row in rows
        ]


class OneNumber:
    """A number, for a regression."""

    def __init__(self) -> None:
        self.blank: Answer = {PREDICTION: None}

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """`prediction`, in the unit of the training labels."""
        return [{PREDICTION: round(value, _DIGITS)} for value in model(**batch).logits.float().flatten().tolist()]


class Generated:
    """The text that a language model writes on, greedily.

    Args:
        tokenizer: of the model.
        max_new_tokens: tokens that it writes at most.
        words: label -> what is written for it; an answer that is one of these words is given as its label.
    """

    def __init__(self, tokenizer: Any, max_new_tokens: int, *, words: Mapping[str, str] | None = None) -> None:
        self._writer = Writer(tokenizer, padding_id(tokenizer), max_new_tokens)
        self._label_of = {word: label for label, word in (words or {}).items()}
        self.blank: Answer = {PREDICTION: None}

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """`prediction`, the new text alone."""
        return [{PREDICTION: self._label_of.get(text, text)} for text in write_greedily(model, batch, self._writer)]


def answerer_for(task: TaskSpec, labels: Sequence[str], tokenizer: Any, max_new_tokens: int) -> Answerer:
    """What asks a model of this task.

    Raises:
        UsageError: answers to such a task are not written out.
    """
    match task.objective:
        case "classification":
            return OneLabel(labels)
        case "multi-label":
            return ManyLabels(labels)
        case "regression":
            return OneNumber()
        case "generation" | "language-model" | "chat":
            return Generated(tokenizer, max_new_tokens, words=task.answer_words)
        case other:
            raise UsageError(
                f"rows of {task.id} ({other}) are not answered one text at a time",
                hint="use `autopeft predict`, or load the model with `SearchResult(run).best.load()`",
            )


def flat(answer: Answer) -> Answer:
    """The answer with one column a value, for CSV: probabilities become `probability_<label>`."""
    flattened: Answer = {}
    for name, value in answer.items():
        if isinstance(value, Mapping):
            flattened |= {f"probability_{label}": share for label, share in value.items()}
        else:
            flattened[name] = value
    return flattened


def rounded(share: float) -> float:
    """With as many digits as float32 tells apart."""
    return round(share, _DIGITS)


def _rounded(labels: Sequence[str], row: Sequence[float]) -> dict[str, float]:
    return {label: rounded(share) for label, share in zip(labels, row, strict=True)}

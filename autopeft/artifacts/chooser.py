"""A model that chooses: every choice is read with its text and gets a score, and the best one is the answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum
from typing import Any

from torch import Tensor, nn

from autopeft.artifacts.answers import PREDICTION, PROBABILITIES, Answer, rounded
from autopeft.artifacts.input_texts import texts_of
from autopeft.artifacts.predictor import WINDOW_ROWS, Predictor, windows
from autopeft.data.cells import read_cell
from autopeft.data.encode_inputs import asked_roles, choice_roles

CHOSEN = "prediction_text"
_CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Question:
    """A row to choose in.

    Attributes:
        asked: the premise, the question, or both.
        choices: at least two.
    """

    asked: str
    choices: Sequence[str]


@dataclass(frozen=True, slots=True)
class AskedChoices:
    """How a row of a file is read: its choices as one list, or in columns `choice1`, `choice2`, ...

    Attributes:
        columns: role -> column.
    """

    columns: Mapping[str, str]

    def __call__(self, cells: Mapping[str, Any]) -> Question | None:
        """The row's question; None where a part of it is missing.

        Raises:
            DataError: a cell holds something else.
        """
        texts = texts_of(cells, {role: column for role, column in self.columns.items() if role != _CHOICES})
        if texts is None:
            return None
        asked = " ".join(texts[role] for role in asked_roles(texts))
        if _CHOICES not in self.columns:
            return Question(asked, [texts[role] for role in choice_roles(texts)])
        column = self.columns[_CHOICES]
        choices = read_cell("choices", cells.get(column), place=f"column {column!r}")
        return Question(asked, choices) if choices else None


class ChoiceScore:
    """How well a choice goes with its text, of a model whose rows have one choice."""

    def __init__(self) -> None:
        self.blank: Answer = {PREDICTION: None}

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        """`prediction`, the score of each pair of text and choice."""
        logits = model(**{name: tensor[:, None] for name, tensor in batch.items()}).logits
        return [{PREDICTION: score} for score in logits.float().flatten().tolist()]


class Chooser:
    """Answers rows with the number of the best choice, from 0, its text, and how likely each choice is.

    Args:
        scorer: asks a model with `ChoiceScore`.
    """

    def __init__(self, scorer: Predictor) -> None:
        self._scorer = scorer
        self.blank: Answer = {PREDICTION: None, CHOSEN: None, PROBABILITIES: None}

    def answers(self, rows: Iterable[Question | None]) -> Iterator[Answer]:
        """One answer a row, in order.

        Args:
            rows: read a window ahead of the answers; None for a row without a question. They may differ in the number
                of their choices.
        """
        for window in windows(rows, WINDOW_ROWS):
            pairs = [{"text": row.asked, "text_pair": one} for row in window if row for one in row.choices]
            scores = (answer[PREDICTION] for answer in self._scorer.answers(pairs))
            for row in window:
                yield self.blank if row is None else _best(row, [next(scores) for _ in row.choices])


def _best(row: Question, scores: Sequence[float]) -> Answer:
    best = max(range(len(scores)), key=scores.__getitem__)
    shares = [exp(score - scores[best]) for score in scores]
    total = fsum(shares)
    return {PREDICTION: best, CHOSEN: row.choices[best], PROBABILITIES: [rounded(share / total) for share in shares]}

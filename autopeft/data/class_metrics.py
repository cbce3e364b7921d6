"""Metrics of predicted classes: one class a row, or a row of 0 and 1 with a place for each label.

Answers are class numbers or texts, (rows,), or for several labels a row 0 and 1, (rows, labels). Those but accuracy
are scikit-learn's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Answers = Sequence[Any] | npt.NDArray[Any]
# The second of two classes, numbered from 0, is the positive one, as in GLUE.
POSITIVE = 1


def is_right(label: Any, prediction: Any) -> float:
    """1 where the row's answer is the true one, all its labels together; else 0. Case and space do not count."""
    return float(np.array_equal(_plain(label), _plain(prediction)))


def _plain(answer: Any) -> Any:
    """A written class as the same class is always written; some tokenizers know no capitals."""
    return " ".join(answer.casefold().split()) if isinstance(answer, str) else answer


def _array(answers: Answers) -> npt.NDArray[Any]:
    texts = len(answers) and isinstance(answers[0], str)
    return np.asarray([_plain(answer) for answer in answers] if texts else answers)


def accuracy(labels: Answers, predictions: Answers) -> float:
    """Share of rows that are right, 0 to 1; with several labels a row, all of them."""
    right = _array(labels) == _array(predictions)
    return float(np.mean(right if right.ndim == 1 else right.all(axis=1)))


def balanced_accuracy(labels: Answers, predictions: Answers) -> float:
    """Recall of every class that occurs, averaged, 0 to 1."""
    from sklearn.metrics import recall_score

    present = np.unique(np.asarray(labels))
    return float(recall_score(labels, predictions, labels=present, average="macro", zero_division=0.0))


def binary_f1(labels: Answers, predictions: Answers) -> float:
    """F1 of class 1, 0 to 1; with more than two classes the others count as negative."""
    from sklearn.metrics import f1_score

    true, predicted = np.asarray(labels) == POSITIVE, np.asarray(predictions) == POSITIVE
    return float(f1_score(true, predicted, zero_division=0.0))


def macro_f1(labels: Answers, predictions: Answers) -> float:
    """F1 of every class that occurs, averaged with equal weight, 0 to 1.

    A written answer that is none of the true ones is wrong, but no class.
    """
    from sklearn.metrics import f1_score

    true = _array(labels)
    classes = np.unique(true) if true.dtype.kind in "OU" else None
    return float(f1_score(true, _array(predictions), labels=classes, average="macro", zero_division=0.0))


def micro_f1(labels: Answers, predictions: Answers) -> float:
    """F1 over all labels of all rows together, 0 to 1; with one label a row the same as accuracy."""
    from sklearn.metrics import f1_score

    return float(f1_score(_array(labels), _array(predictions), average="micro", zero_division=0.0))


def matthews(labels: Answers, predictions: Answers) -> float:
    """Matthews' correlation coefficient, -1 to 1; 0 is chance."""
    from sklearn.metrics import matthews_corrcoef

    if len({*np.unique(labels).tolist(), *np.unique(predictions).tolist()}) < 2:
        return 0.0  # nothing is told apart
    return float(matthews_corrcoef(labels, predictions))

"""What a search must beat in a classification: the majority, word counts, and frozen features."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data.metrics import score

Classes = Mapping[str, Sequence[int] | npt.NDArray[np.int64]]

# Ascending: the strongest regularisation first.
PROBE_C = (0.1, 0.3, 1.0, 3.0, 10.0)
_ITERATIONS = 1000
# The matrices are small: several BLAS threads, with torch's waiting beside them, took five times as long.
_FIT_THREADS = 1


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """How a baseline does.

    Attributes:
        name: for people.
        validation_metric: the task's metric; None where the baseline could not be made.
        test_metric: likewise.
        train_rows: that it learned from.
        note: how it was made.
        test_row_scores: 1 for every test row that is right, else 0; for paired comparisons.
    """

    name: str
    validation_metric: float | None
    test_metric: float | None
    train_rows: int
    note: str
    test_row_scores: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: an entry of `baselines` in result.json, and the row scores."""
        return asdict(self) | {"test_row_scores": list(self.test_row_scores)}


def majority(labels: Classes, metric: str) -> BaselineScore:
    """Always the commonest class of the training rows (the first of equals)."""
    commonest = int(np.bincount(np.asarray(labels["train"])).argmax())
    guesses = {split: np.full(len(true), commonest) for split, true in labels.items()}
    return _scored("majority class", labels, guesses, metric, "always the commonest class of the training rows")


def tfidf(texts: Mapping[str, Sequence[str]], labels: Classes, metric: str) -> BaselineScore:
    """Logistic regression on tf-idf weighted words (sublinear counts, C = 1).

    Args:
        texts: split -> one text a row; the texts of a pair joined.
        labels: split -> class numbers.
        metric: name in `metrics.METRICS`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    name = "tf-idf + logistic regression"
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    try:
        features = {"train": vectorizer.fit_transform(texts["train"])}
    except ValueError:  # sklearn: "empty vocabulary"
        return BaselineScore(name, None, None, len(labels["train"]), "the texts hold no word of two letters")
    features |= {split: vectorizer.transform(texts[split]) for split in ("validation", "test")}
    with threadpool_limits(_FIT_THREADS):
        model = LogisticRegression(max_iter=_ITERATIONS).fit(features["train"], np.asarray(labels["train"]))
    guesses = {split: model.predict(matrix) for split, matrix in features.items()}
    return _scored(name, labels, guesses, metric, f"{len(vectorizer.vocabulary_)} words, C = 1")


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A linear classifier on features as they are given.

    Attributes:
        weight: (classes, width).
        bias: (classes,).
    """

    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """A fitted probe.

    Attributes:
        score: how the strength that is best on validation does.
        start: one step more regularised: it fits the training rows less tightly, so that whatever trains on from
            there on the same rows finds more to learn.
        start_note: how `start` was made.
    """

    score: BaselineScore
    start: LinearHead
    start_note: str


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    c: float
    model: Any
    metric: float


def linear_probe(
    features: Mapping[str, npt.NDArray[np.floating[Any]]], labels: Classes, metric: str, n_classes: int = 2
) -> LinearProbe:
    """Logistic regression on frozen features, standardised; C is chosen on validation.

    Args:
        features: split -> (rows, width), such as the base model's mean-pooled last hidden states.
        labels: split -> class numbers.
        metric: name in `metrics.METRICS`; all of them are maximised.
        n_classes: of the task, where some may be in none of these rows.
    """
    mean = features["train"].mean(axis=0)
    spread = features["train"].std(axis=0) + 1e-8
    scaled = {split: (matrix - mean) / spread for split, matrix in features.items()}
    width = len(mean)
    fits = _path(scaled, labels, metric, width)
    best = max(fits, key=lambda fit: fit.metric)  # of equals the first, which is the strongest
    start = fits[max(0, fits.index(best) - 1)]
    guesses = {split: best.model.predict(matrix) for split, matrix in scaled.items()}
    note = f"logistic regression on {width} frozen mean-pooled features, C = {best.c:g} / {width} chosen on validation"
    classes = 1 + max(int(np.max(true)) for true in labels.values())
    return LinearProbe(
        score=_scored("linear probe", labels, guesses, metric, note),
        start=_unscaled(start.model, mean, spread, max(classes, n_classes)),
        start_note=f"C = {start.c:g} / {width}, one step more regularised",
    )


def _path(scaled: Mapping[str, Any], labels: Classes, metric: str, width: int) -> list[_Fit]:
    """A fit for each strength, each begun where the one before it ended, which halves the iterations."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    model = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    fits = []
    for c in PROBE_C:
        with threadpool_limits(_FIT_THREADS):
            model.set_params(C=c / width).fit(scaled["train"], np.asarray(labels["train"]))
        guesses = model.predict(scaled["validation"])
        fits.append(_Fit(c, copy.deepcopy(model), score(metric, labels["validation"], guesses)))
    return fits


def _unscaled(model: Any, mean: Any, spread: Any, n_classes: int) -> LinearHead:
    """The model on the features before they were standardised, with one row for every class of the task."""
    known, known_bias = model.coef_ / spread, model.intercept_ - (model.coef_ / spread) @ mean
    if len(known) == 1:
        known, known_bias = np.concatenate([-known, known]) / 2, np.concatenate([-known_bias, known_bias]) / 2
    # A class that none of these rows has starts below every other, until training meets it.
    weight, bias = np.zeros((n_classes, known.shape[1])), np.full(n_classes, known_bias.min() - 1.0)
    weight[model.classes_], bias[model.classes_] = known, known_bias
    return LinearHead(weight, bias)


def _scored(name: str, labels: Classes, guesses: Mapping[str, Any], metric: str, note: str) -> BaselineScore:
    return BaselineScore(
        name=name,
        validation_metric=score(metric, labels["validation"], guesses["validation"]),
        test_metric=score(metric, labels["test"], guesses["test"]),
        train_rows=len(labels["train"]),
        note=note,
        test_row_scores=tuple(int(right) for right in np.asarray(guesses["test"]) == np.asarray(labels["test"])),
    )

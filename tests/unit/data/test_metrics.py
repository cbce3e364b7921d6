import math

import numpy as np
import pytest

from autopeft.data.baselines import PROBE_C, linear_probe, majority, tfidf
from autopeft.data.metrics import mean_loss, perplexity, score, standard_error
from autopeft.errors import CatalogError

TRUE, GUESS = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]


def test_metrics_by_hand() -> None:
    assert score("accuracy", TRUE, GUESS) == pytest.approx(4 / 6)
    # Class 0: precision 2/3, recall 2/3; class 1: 2/3, 1; class 2: never guessed.
    assert score("macro_f1", TRUE, GUESS) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert score("matthews", [0, 0, 1, 1], [0, 1, 1, 1]) == pytest.approx((2 * 1 - 1 * 0) / math.sqrt(3 * 2 * 2 * 1))
    assert score("matthews", [0, 1], [1, 1]) == 0


def test_a_written_answer_that_is_no_class_is_wrong_but_no_class_of_its_own() -> None:
    true, written = ["yes", "yes", "no", "no"], ["Yes", "yes", "perhaps", "no idea"]
    assert score("macro_f1", true, written) == pytest.approx((1 + 0) / 2)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(CatalogError, match="'wit' is no metric"):
        score("wit", TRUE, GUESS)


def test_the_binomial_error_of_accuracy() -> None:
    assert standard_error("accuracy", TRUE, GUESS) == pytest.approx(math.sqrt(4 / 6 * 2 / 6 / 6))


def test_the_bootstrap_agrees_with_the_binomial_error_and_repeats() -> None:
    generator = np.random.default_rng(0)
    true = generator.integers(0, 2, 400)
    guess = np.where(generator.random(400) < 0.8, true, 1 - true)
    found = standard_error("macro_f1", true, guess)
    assert found == standard_error("macro_f1", true, guess)
    # On two balanced classes macro F1 and accuracy nearly coincide.
    assert found == pytest.approx(standard_error("accuracy", true, guess), rel=0.2)


def test_losses_are_weighted_by_targets() -> None:
    mean, error = mean_loss([1.0, 2.0, 3.0])
    assert (mean, error) == (pytest.approx(2.0), pytest.approx(1 / math.sqrt(3)))
    mean, error = mean_loss([10.0, 6.0], [10.0, 2.0])
    assert mean == pytest.approx(16 / 12)
    residuals = [10 - 10 * 16 / 12, 6 - 2 * 16 / 12]
    assert error == pytest.approx(math.sqrt(sum(r * r for r in residuals) / 2) / 6)
    assert mean_loss([1.5]) == (1.5, 0.0)


def test_perplexity() -> None:
    assert perplexity(math.log(7)) == pytest.approx(7)
    assert perplexity(1e6) == math.inf


LABELS = {"train": [0, 0, 0, 1, 1], "validation": [0, 1], "test": [1, 1, 0, 1]}
TEXTS = {
    "train": ["good film", "good plot", "good cast", "bad film", "bad plot"],
    "validation": ["good", "bad"],
    "test": ["bad plot", "bad", "good film", "bad bad"],
}


def test_the_majority_of_train_is_guessed() -> None:
    found = majority(LABELS, "accuracy")
    assert (found.validation_metric, found.test_metric, found.train_rows) == (0.5, 0.25, 5)


def test_word_counts_learn_words() -> None:
    found = tfidf(TEXTS, LABELS, "accuracy")
    assert (found.validation_metric, found.test_metric) == (1.0, 1.0)
    assert found.test_row_scores == (1,) * len(LABELS["test"])
    shown = {"name", "validation_metric", "test_metric", "train_rows", "note", "test_row_scores"}
    assert set(found.to_dict()) == shown


def test_texts_without_words_give_no_figure_but_a_reason() -> None:
    found = tfidf({split: ["!"] * len(rows) for split, rows in LABELS.items()}, LABELS, "accuracy")
    assert found.test_metric is None
    assert "no word" in found.note


def test_the_linear_probe_separates_what_is_separable_and_chooses_c_on_validation() -> None:
    generator = np.random.default_rng(0)
    labels = {
        split: generator.integers(0, 3, rows) for split, rows in [("train", 300), ("validation", 60), ("test", 60)]
    }
    centres = generator.normal(size=(3, 16)) * 3
    features = {split: centres[y] + generator.normal(size=(len(y), 16)) for split, y in labels.items()}
    features = {split: matrix.astype(np.float32) * 100 + 7 for split, matrix in features.items()}  # any scale will do
    found = linear_probe(features, labels, "accuracy")
    assert found.score.test_metric is not None
    assert found.score.test_metric > 0.9
    guesses = (features["test"] @ found.start.weight.T + found.start.bias).argmax(axis=1)
    assert (guesses == labels["test"]).mean() > 0.9
    shuffled = labels | {"test": np.roll(labels["test"], 1)}
    assert linear_probe(features, shuffled, "accuracy").score.note == found.score.note


def test_a_probe_of_two_classes_gives_a_row_for_each() -> None:
    generator = np.random.default_rng(1)
    labels = {split: np.arange(40) % 2 for split in ("train", "validation", "test")}
    features = {split: y[:, None] * 2.0 + generator.normal(size=(40, 3)) for split, y in labels.items()}
    found = linear_probe(features, labels, "accuracy")
    assert found.start.weight.shape == (2, 3)
    guesses = (features["test"] @ found.start.weight.T + found.start.bias).argmax(axis=1)
    assert (guesses == labels["test"]).mean() > 0.8


def test_runs_start_one_step_more_regularised_than_the_best() -> None:
    generator = np.random.default_rng(2)
    labels = {split: generator.integers(0, 2, 400) for split in ("train", "validation", "test")}
    centres = generator.normal(size=(2, 64)) * 0.35
    features = {split: centres[y] + generator.normal(size=(400, 64)) for split, y in labels.items()}
    found = linear_probe(features, labels, "accuracy")
    best = next(c for c in PROBE_C if f" C = {c:g} / 64" in found.score.note)
    assert found.start_note.startswith(f"C = {PROBE_C[max(0, PROBE_C.index(best) - 1)]:g} / 64")

"""scikit-learn's contract, on texts: everything that needs no training; the rest is in tests/integration."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import autopeft
from autopeft import AutoPeftClassifier, AutoPeftGenerator, AutoPeftRegressor
from autopeft.api import estimators
from autopeft.api.estimators import class_names, texts_of
from autopeft.errors import DataError

ALL = [AutoPeftClassifier, AutoPeftRegressor, AutoPeftGenerator]
each = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


@each
def test_a_clone_has_the_same_settings_and_no_fit(kind: type[BaseEstimator]) -> None:
    one = kind(model="m", budget="10m", methods=["lora"], seed=3)
    one.run_path_ = "somewhere"
    twin = clone(one)
    assert twin.get_params() == one.get_params()
    assert not hasattr(twin, "run_path_")
    assert twin.set_params(seed=4) is twin and twin.seed == 4 and one.seed == 3


@each
def test_every_setting_but_output_is_one_of_search(kind: type[BaseEstimator]) -> None:
    import inspect

    known = inspect.signature(autopeft.search).parameters
    assert set(kind().get_params()) <= set(known)
    for name, value in kind().get_params().items():
        if name != "output":
            assert known[name].default == value


@each
def test_asked_before_it_is_fitted(kind: type[BaseEstimator]) -> None:
    with pytest.raises(NotFittedError):
        kind().predict(["a text"])
    with pytest.raises(NotFittedError):
        _ = kind().run_


def test_kinds_are_what_scikit_learn_thinks() -> None:
    assert is_classifier(AutoPeftClassifier()) and is_regressor(AutoPeftRegressor())
    tags = AutoPeftGenerator().__sklearn_tags__().input_tags
    assert tags.string and not tags.two_d_array


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "b"],
        ("a", "b"),
        np.array(["a", "b"]),
        np.array([["a"], ["b"]], dtype=object),
        pd.Series(["a", "b"], index=[7, 9]),
        pd.DataFrame({"text": ["a", "b"]}),
        iter(["a", "b"]),
    ],
    ids=["list", "tuple", "array", "column", "series", "frame", "iterator"],
)
def test_texts_come_in_many_forms(texts: Any) -> None:
    assert texts_of(texts) == ["a", "b"]


@pytest.mark.parametrize("texts", ["a text", 3, [], ["a", None], [1.5], np.array([["a", "b"]])], ids=repr)
def test_what_is_no_list_of_texts_is_refused(texts: Any) -> None:
    with pytest.raises(DataError) as refusal:
        texts_of(texts)
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (["bad", "good"], ["bad", "good"]),
        ([0, 1, 10], ["0", "1", "10"]),
        ([False, True], ["False", "True"]),
        ([0.5, 1.0], ["class 0: 0.5", "class 1: 1.0"]),
        ([" a", "a"], ["class 0: a", "class 1: a"]),
        (["", "a"], ["class 0: ", "class 1: a"]),
        (["1e3", "b"], ["class 0: 1e3", "class 1: b"]),
    ],
    ids=str,
)
def test_every_class_has_a_name_of_its_own(classes: list[Any], names: list[str]) -> None:
    found = class_names(np.array(classes))
    assert found == names and len(set(found)) == len(classes)


class Keywords:
    """Stands for a search and its winner: says what the training rows with the most shared words had."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def search(self, **options: Any) -> Any:
        self.asked.append(options)
        return type("Run", (), {"path": Path(options["output"])})

    def answers(self, rows: Any) -> list[dict[str, Any]]:
        train = self.asked[-1]["train"]
        names = sorted(set(train["label"]), reverse=True)
        return [{"probabilities": self._shares(row["text"], train, names)} for row in rows]

    def _shares(self, text: str, train: dict[str, list[str]], names: list[str]) -> dict[str, float]:
        words = set(text.split())
        pairs = list(zip(train["text"], train["label"], strict=True))
        hits = {name: 1 + sum(len(words & set(t.split())) for t, label in pairs if label == name) for name in names}
        return {name: count / sum(hits.values()) for name, count in hits.items()}


@pytest.fixture
def keywords(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keywords:
    stand_in = Keywords()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimators, "search", stand_in.search)
    monkeypatch.setattr("autopeft.api.finished.open_finished", lambda path: path)
    monkeypatch.setattr("autopeft.api.predict.predictor_of", lambda _run: stand_in)
    return stand_in


TEXTS = ["good fun", "good wit", "dull plot", "dull cast", "good heart", "dull end"]
LABELS = ["up", "up", "down", "down", "up", "down"]


def test_labels_come_back_in_their_kind_and_order(keywords: Keywords) -> None:
    fitted = AutoPeftClassifier().fit(TEXTS, np.array(LABELS))
    assert list(fitted.classes_) == ["down", "up"]
    assert list(fitted.predict(["good", "dull"])) == ["up", "down"]
    shares = fitted.predict_proba(["good", "dull"])
    assert shares.shape == (2, 2) and shares[0, 1] > shares[0, 0]
    assert fitted.score(TEXTS, LABELS) == 1.0
    numbers = AutoPeftClassifier().fit(TEXTS, [10, 10, 2, 2, 10, 2])
    assert list(numbers.classes_) == [2, 10] and list(numbers.predict(["good"])) == [10]


def test_it_stands_in_pipelines_and_cross_validation(keywords: Keywords) -> None:
    piped = make_pipeline(FunctionTransformer(lambda texts: [text.lower() for text in texts]), AutoPeftClassifier())
    assert list(piped.fit([text.upper() for text in TEXTS], LABELS).predict(["GOOD"])) == ["up"]
    scores = cross_val_score(AutoPeftClassifier(), np.array(TEXTS), LABELS, cv=3)
    assert list(scores) == [1.0, 1.0, 1.0]
    found = GridSearchCV(AutoPeftClassifier(), {"seed": [0, 1]}, cv=2).fit(TEXTS, LABELS)
    assert found.best_score_ == 1.0 and {one["seed"] for one in keywords.asked} == {0, 1}


def test_every_fit_has_a_run_of_its_own(keywords: Keywords, tmp_path: Path) -> None:
    for _ in range(2):
        AutoPeftClassifier(output=str(tmp_path / "mine")).fit(TEXTS, LABELS)
    folders = [one["output"] for one in keywords.asked]
    assert len(set(folders)) == 2 and all(Path(folder).parent == tmp_path / "mine" for folder in folders)


def test_a_pickle_carries_the_path_and_no_model(keywords: Keywords) -> None:
    fitted = AutoPeftClassifier().fit(TEXTS, LABELS)
    fitted.predict(["good"])
    assert "_predictor" in vars(fitted)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own bytes
    assert "_predictor" not in vars(again) and again.run_path_ == fitted.run_path_
    assert list(again.predict(["dull"])) == ["down"]


def test_a_second_fit_asks_the_second_winner(keywords: Keywords) -> None:
    fitted = AutoPeftClassifier().fit(TEXTS, LABELS)
    fitted.predict(["good"])
    fitted.fit(TEXTS, LABELS[::-1])
    assert "_predictor" not in vars(fitted)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_rows_of_different_count_are_refused(kind: Any, keywords: Keywords) -> None:
    answers = ["x"] if kind is AutoPeftGenerator else [1]
    with pytest.raises(DataError, match="2 texts but 1 answers"):
        kind().fit(["a", "b"], answers)


@pytest.mark.parametrize(
    "labels", [["a", "b", None], [0.0, 1.0, float("nan")], pd.Series(["a", "b", pd.NA])], ids=["none", "nan", "pandas"]
)
def test_a_label_that_is_missing_is_named(labels: Any) -> None:
    with pytest.raises(DataError, match="the label at 2 is missing"):
        AutoPeftClassifier().fit(["one", "two", "three"], labels)
    with pytest.raises(DataError, match="the text at 1 is a NoneType"):
        AutoPeftClassifier().fit(["one", None, "three"], ["a", "b", "a"])

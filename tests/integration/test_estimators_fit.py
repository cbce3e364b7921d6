"""The estimators with real searches behind them."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from autopeft import AutoPeftClassifier, AutoPeftGenerator, AutoPeftRegressor

QUICK = {
    "methods": ["lora"],
    "trials": 1,
    "batch_size": 8,
    "full_steps": 30,
    "max_length": 32,
    "max_evaluation_rows": 60,
    "top": 1,
    "confirm_seeds": 1,
    "threads": 1,
}


def read(material: Path, name: str, rows: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (material / "data" / name).read_text().splitlines()[:rows]]


@pytest.fixture(scope="module")
def rows(material: Path) -> list[dict[str, Any]]:
    return read(material, "sst2/train.jsonl", 300)


def test_a_classifier_learns_is_pickled_and_opens_its_run(
    tiny_bert: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    texts, labels = [row["sentence"] for row in rows], np.array(["bad", "good"])[[row["label"] for row in rows]]
    fitted = AutoPeftClassifier(model=str(tiny_bert), output=str(tmp_path), **QUICK).fit(texts, labels)
    assert fitted.score(texts, labels) > 0.6
    assert list(fitted.run_.result["data"]["labels"]) == list(fitted.classes_) == ["bad", "good"]
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own bytes
    assert len(pickle.dumps(fitted)) < 5_000
    assert np.array_equal(again.predict_proba(texts[:8]), fitted.predict_proba(texts[:8]))


@pytest.mark.slow
def test_a_grid_search_in_two_processes(tiny_bert: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    texts, labels = [row["sentence"] for row in rows], [row["label"] for row in rows]
    quick = QUICK | {"full_steps": 8}
    estimator = AutoPeftClassifier(model=str(tiny_bert), output=str(tmp_path), **quick)
    found = GridSearchCV(estimator, {"seed": [0, 1]}, cv=2, n_jobs=2).fit(texts, labels)
    assert set(found.predict(texts[:8])) <= {0, 1}
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.slow
def test_a_regressor_learns_an_order(tiny_bert: Path, material: Path, tmp_path: Path) -> None:
    rows = read(material, "stsb/train.jsonl", 300)
    texts, numbers = [row["sentence1"] for row in rows], [float(len(row["sentence1"].split())) for row in rows]
    quick = QUICK | {"full_steps": 80}
    fitted = AutoPeftRegressor(model=str(tiny_bert), output=str(tmp_path), **quick).fit(texts, numbers)
    assert np.corrcoef(fitted.predict(texts), numbers)[0, 1] > 0.3


@pytest.mark.slow
def test_a_generator_with_and_without_targets(material: Path, tmp_path: Path) -> None:
    rows = read(material, "alpaca_en_demo/train.jsonl", 200)
    texts = [row["output"] for row in rows]
    model = str(material / "models" / "stories260k")
    writer = AutoPeftGenerator(model=model, output=str(tmp_path / "lm"), **QUICK).fit(texts)
    (written,) = writer.predict([" ".join(texts[0].split()[:3])])
    assert isinstance(written, str) and written
    assert writer.score(texts[:20]) < 0
    model = str(material / "models" / "t5-tiny-news")
    translator = AutoPeftGenerator(model=model, output=str(tmp_path / "t5"), **QUICK).fit(texts, texts)
    assert translator.predict(texts[:2]).shape == (2,)
    assert translator.score(texts[:20], texts[:20]) < 0

"""A decoder that classifies reads the last token of a row, whatever its config says that padding is."""

import json
import shutil
from pathlib import Path

import pytest

from autopeft.api.evaluate import evaluate
from autopeft.api.finished import open_finished
from autopeft.api.predict import predictor_of
from autopeft.api.run import SearchResult
from tests.integration.conftest import small_search

# Another token than the tokenizer's padding: a model whose two files disagree.
IN_CONFIG = 7


@pytest.fixture(scope="module")
def run(material: Path, sst2: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    root = tmp_path_factory.mktemp("padding")
    model = root / "model"
    shutil.copytree(material / "models" / "stories260k", model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"pad_token_id": IN_CONFIG}))
    return small_search(
        model=model,
        train=str(sst2),
        output=root / "run",
        methods=["lora"],
        trials=1,
        full_steps=6,
        max_train_rows=60,
        max_evaluation_rows=40,
        max_length=32,
        top=1,
        confirm_seeds=1,
    )


def test_a_row_is_answered_alike_alone_and_among_longer_ones(run: SearchResult) -> None:
    finished = open_finished(run.path)
    rows = [{"text": text} for text in ("bad", "a long and winding story of nothing at all", "it was very good")]
    together, alone = (
        [answer["probabilities"] for answer in predictor_of(finished, batch_size=size).answers(rows)] for size in (3, 1)
    )
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_what_fills_batches_reaches_every_model_that_is_made_from_the_run(run: SearchResult) -> None:
    finished = open_finished(run.path)
    pad_id = finished.tokenizer().pad_token_id
    assert pad_id != IN_CONFIG
    assert f"base.config.pad_token_id = {pad_id}" in run.result["best"]["load"]
    assert finished.load().config.pad_token_id == pad_id


def test_training_measures_what_the_finished_model_measures(run: SearchResult) -> None:
    measured = evaluate(run.path)
    assert measured.value == pytest.approx(measured.reported, abs=1e-9)
    assert measured.loss == pytest.approx(run.result["best"]["test_loss"], abs=1e-6)

"""`recommend` and `estimate` in Python, traced for real from a config alone."""

from pathlib import Path

import pytest

from autopeft import estimate, recommend
from autopeft.domain.recommendation import Candidate
from autopeft.errors import ModelError, NothingFitsError, UsageError

STEP = {"batch_size": 8, "max_length": 32}


@pytest.fixture
def config(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small BERT's config.json, without weights beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "config.json"
    file.write_bytes((material / "models" / "minilm-tiny-distilled" / "config.json").read_bytes())
    return str(file)


def by_method(candidates: tuple[Candidate, ...]) -> dict[str, Candidate]:
    return {one.method: one for one in candidates}


def test_recommend_and_estimate_agree(config: str) -> None:
    answer = recommend(config, gpu_mem="8GB", methods=["lora", "full"], **STEP)
    found = by_method(answer.candidates)
    alone = estimate(config, "lora", **STEP)
    # An estimate also looks at evaluation, which a comparison of training steps leaves out.
    for name in ("components_bytes", "peak_bytes", "reserved_bytes", "trainable_parameters", "step_flops"):
        assert getattr(found["lora"].estimate, name) == getattr(alone, name)
    full = found["full"].estimate
    assert full.trainable_parameters == full.total_parameters
    assert found["lora"].estimate.reserved_bytes < full.reserved_bytes
    assert answer.task == "sequence-classification"
    assert not answer.excluded


def test_a_recommendation_is_also_a_table(config: str) -> None:
    table = recommend(config, methods=["lora", "ia3"], **STEP).to_dataframe()
    assert list(table["rank"]) == [1, 2]
    assert set(table["method"]) == {"lora", "ia3"}
    assert (table["reserved_bytes"] >= table["peak_bytes"]).all()


def test_hyperparameters_change_the_estimate(config: str) -> None:
    small = estimate(config, "lora", hyperparameters={"r": 4}, **STEP)
    large = estimate(config, "lora", hyperparameters={"r": "16"}, **STEP)
    assert large.adapter_parameters == 4 * small.adapter_parameters
    assert large.peak_bytes > small.peak_bytes


def test_the_rows_of_a_data_set_reach_the_rules(config: str, material: Path) -> None:
    answer = recommend(config, methods=["lora"], dataset=str(material / "data" / "rte"), **STEP)
    rows = answer.facts["training_rows"]
    assert 0.8 * 2490 < rows < 2490, "RTE has 2,490 training rows, of which a test split is cut"


def test_nothing_fits_is_raised_unless_an_empty_answer_is_welcome(config: str) -> None:
    with pytest.raises(NothingFitsError, match="needs"):
        recommend(config, gpu_mem="1MB", methods=["lora"])
    answer = recommend(config, gpu_mem="1MB", methods=["lora"], allow_empty=True)
    assert not answer.candidates
    assert "at batch 1 x" in answer.excluded[0].reasons[0].text


def test_bad_input_is_told_apart(config: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no method"):
        estimate(config, "lorra")
    with pytest.raises(UsageError, match="encoder"):
        recommend(config, task="causal-lm")
    with pytest.raises(ModelError):
        estimate(str(tmp_path / "nothing"))


def test_the_verbs_stay_functions_beside_packages_of_the_same_name() -> None:
    import autopeft
    import autopeft.recommend.answer
    import autopeft.search.scheduler

    assert all(callable(getattr(autopeft, name)) for name in ("recommend", "estimate", "search"))

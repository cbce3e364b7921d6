"""What a data set tells the recommender, counted on data that is small enough to count by hand."""

import json
from pathlib import Path

import pytest

from autopeft import recommend
from autopeft.api.data_facts import CHARACTERS_PER_TOKEN, profile_data
from autopeft.catalog.load import load_catalog

TASK = load_catalog().task("sequence-classification")


def written(folder: Path, rows: list[tuple[str, str]]) -> str:
    """A data set with its own validation and test split, so that every row of `rows` is trained on."""
    other = [("one more", "a"), ("and another", "b")]
    for split, content in (("train", rows), ("validation", other), ("test", [("last", "a"), ("not least", "b")])):
        lines = (json.dumps({"text": text, "label": label}) for text, label in content)
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(folder)


def test_balance_lengths_and_contradictions_are_counted(tmp_path: Path) -> None:
    rows = [("x" * 8 * number, "a") for number in range(1, 9)] + [("same text", "a"), ("same text", "b")]
    found = profile_data(written(tmp_path, rows), TASK, None)
    assert found.rows == 10
    assert found.facts.minority_share == pytest.approx(0.1)
    assert found.facts.label_noise == pytest.approx(0.2)
    assert found.facts.length_max == 64 / CHARACTERS_PER_TOKEN
    assert found.facts.length_p50 is not None and found.facts.length_p50 <= (found.facts.length_p95 or 0)
    assert "no tokenizer" in found.note


def test_the_models_own_tokenizer_counts_where_it_is_at_hand(material: Path, tmp_path: Path) -> None:
    rows = [("good movie", "a"), ("a very bad movie indeed", "b")] * 5
    found = profile_data(written(tmp_path, rows), TASK, material / "models" / "minilm-l6")
    # With the two special tokens of a BERT.
    assert found.facts.length_max == 5 + 2
    assert "own tokenizer" in found.note


def test_the_facts_reach_the_answer_and_the_reader(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    data = written(tmp_path / "data", [(f"text number {number}", "ab"[number % 2]) for number in range(40)])
    model = str(material / "models" / "minilm-tiny-distilled")
    answer = recommend(model, dataset=data, methods=["lora"], max_length=16, batch_size=2)
    assert answer.facts["training_rows"] == 40
    assert answer.facts["minority_share"] == pytest.approx(0.5)
    assert answer.facts["length_p95"] >= answer.facts["length_p50"] > 2
    assert "40 training rows" in answer.notes[0]

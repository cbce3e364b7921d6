"""A file as people have them, searched with no more than its name; what was guessed and done is said and kept."""

import json
from pathlib import Path

import pytest

from autopeft.api.search import resume
from autopeft.domain.plan import SearchRequest
from tests.integration.conftest import small_search


class Notes:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None


@pytest.fixture(scope="module")
def news(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [json.loads(line) for line in (material / "data" / "ag_news" / "train.jsonl").read_text().splitlines()[:300]]
    kept = [row for number, row in enumerate(rows) if row["label"] or number % 4 == 0]
    path = tmp_path_factory.mktemp("own") / "news.csv"
    lines = [f'a{number % 40};"{row["text"].replace(chr(34), "")}";{row["label"]}' for number, row in enumerate(kept)]
    path.write_text("\ufeffAuthor;Body;Category\n" + "\n".join(lines) + "\nonly one cell\n", "utf-8")
    return path


def test_a_file_with_groups_rare_classes_and_a_broken_row(news: Path, tiny_bert: Path, tmp_path: Path) -> None:
    notes = Notes()
    run = small_search(
        model=str(tiny_bert), train=str(news), output=tmp_path / "run", trials=1, methods=["lora"], top=1,
        confirm_seeds=1, full_steps=3, max_bad_rows=1, group_column="Author", class_weights="balanced", observer=notes,
    )  # fmt: skip
    data = run.to_dict()["data"]
    assert data["columns"] == {"text": "Body", "label": "Category"}
    assert data["notes"] == notes.texts[: len(data["notes"])]
    said = " ".join(data["notes"])
    assert "task: sequence-classification, guessed from the columns 'Body', 'Category'" in said
    assert "1 of " in said and "1 cells where line 1 has 3" in said
    assert "whole groups" in said
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert SearchRequest.from_dict(plan["request"]).task == "sequence-classification"
    weights = plan["training"]["class_weights"]
    assert weights[0] > 2 * max(weights[1:])  # a quarter of its rows was kept
    assert resume(tmp_path / "run").to_dict()["data"] == data

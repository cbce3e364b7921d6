"""The task is guessed from what the columns are called and hold, and the guess is said."""

from pathlib import Path
from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.infer_task import Guess, guess_task
from autopeft.data.peek import first_rows
from autopeft.data.sources import Reading

DEFAULTS = {"encoder": "sequence-classification", "decoder": "causal-lm", "encoder-decoder": "text-to-text"}


def guess(source: Any, kind: str = "encoder", **columns: str) -> Guess | None:
    tasks = [task for task in load_catalog().tasks.values() if kind in task.architectures]
    return guess_task(first_rows(source, Reading()), tasks, DEFAULTS[kind], columns)


@pytest.mark.parametrize(
    ("folder", "kind", "task"),
    [
        ("ag_news", "encoder", "sequence-classification"),
        ("boolq", "encoder", "sequence-classification"),
        ("copa", "encoder", "multiple-choice"),
        ("mrpc", "decoder", "sequence-classification"),
        ("stsb", "encoder", "sentence-similarity"),
        ("wnut17", "encoder", "token-classification"),
        ("cnn_dailymail", "encoder-decoder", "text-to-text"),
        ("rte", "encoder-decoder", "classification-as-text"),
        ("gsm8k", "decoder", "math-word-problems"),
        ("alpaca_en_demo", "decoder", "instruction-tuning"),
        ("dolly_hhrlhf_small", "decoder", "instruction-tuning"),
    ],
)
def test_shared_sets(material: Path, folder: str, kind: str, task: str) -> None:
    found = guess(material / "data" / folder, kind)
    assert found is not None
    assert found.task == task
    assert "--task" in found.note


@pytest.mark.parametrize(
    ("columns", "kind", "task"),
    [
        ({"text": "words of many kinds"}, "decoder", "causal-lm"),
        ({"text": "a", "labels": ["x", "y"]}, "encoder", "multi-label-classification"),
        (
            {"question": "q", "context": "an a", "answers": {"text": ["a"], "answer_start": [3]}},
            "encoder",
            "question-answering",
        ),
        ({"text": "Ada came", "spans": [{"start": 0, "end": 3, "label": "PER"}]}, "encoder", "token-classification"),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            "decoder",
            "instruction-tuning",
        ),
    ],
)
def test_what_cells_hold_decides(columns: dict[str, Any], kind: str, task: str) -> None:
    found = guess({name: [cell] * 30 for name, cell in columns.items()}, kind)
    assert found is not None
    assert found.task == task


def test_what_fits_no_task_is_not_guessed() -> None:
    assert guess({"n": list(range(30))}) is None


def test_only_the_first_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(200)) + '"broken')
    assert len(first_rows(path, Reading())) == 100

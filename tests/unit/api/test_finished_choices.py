"""What the commands on a finished run decide from its result, before any weights are loaded."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autopeft.api import export as exporting
from autopeft.api import predict as predicting
from autopeft.catalog.load import load_catalog
from autopeft.domain.models import ModelSpec
from autopeft.errors import UsageError

CATALOG = load_catalog()


def finished(task: str, kind: str, **data: Any) -> Any:
    """A run as far as it is looked at, on a model with 512 positions."""
    subject = SimpleNamespace(
        task=CATALOG.task(task).on(kind),
        architecture=CATALOG.architectures["llama" if kind == "decoder" else "bert"],
        model=ModelSpec("tiny", {"model_type": "llama", "max_position_embeddings": 512}),
    )
    columns = {"source": "source", "target": "target"}
    result = {"data": {"max_length": 64, "max_target_length": None, "columns": columns} | data}
    run = SimpleNamespace(
        subject=subject,
        result=result,
        labels=(),
        method=CATALOG.method("lora"),
        tokenizer=str,
        load=lambda device: None,
    )
    run.unpacked = lambda: run
    return run


@pytest.mark.parametrize(
    ("learned", "asked", "written"), [(120, None, 120), (None, None, 64), (120, 7, 7), (600, None, 256)]
)
def test_answers_are_as_long_as_the_run_learned_to_write(
    monkeypatch: pytest.MonkeyPatch, learned: int | None, asked: int | None, written: int
) -> None:
    monkeypatch.setattr(predicting, "answerer_for", lambda task, labels, tokenizer, most: most)
    monkeypatch.setattr(predicting, "Predictor", lambda *given, **more: given)
    run = finished("text-to-text", "decoder", max_target_length=learned)
    made: Any = predicting.predictor_of(run, max_new_tokens=asked)
    assert made[2:4] == (written, 512 - written)


@pytest.mark.parametrize("task", ["question-answering", "multiple-choice"])
def test_what_is_not_rows_to_logits_is_not_exported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: str) -> None:
    monkeypatch.setattr(exporting, "open_finished", lambda run: finished(task, "encoder"))
    with pytest.raises(UsageError, match=f"a model for {task} is not exported") as caught:
        exporting.export("run", tmp_path / "new")
    assert "autopeft merge" in str(caught.value.hint)

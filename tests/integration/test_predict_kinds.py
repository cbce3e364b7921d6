"""`autopeft predict` where an answer is a stretch of a text, a choice, or what an assistant says next."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from autopeft.api.run import SearchResult
from autopeft.data.text_metrics import squad_f1
from tests.integration.asked import answered, figure, invoke
from tests.integration.conftest import small_search

Row = dict[str, Any]


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, most: int) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:most]]


def trained(model: Path, task: str, rows: list[Row], folder: Path, **options: Any) -> SearchResult:
    sizes = {"full_steps": 12, "max_length": 48, "methods": ["lora"], "trials": 1, "top": 1, "confirm_seeds": 1}
    train = str(write(folder / "rows.jsonl", rows))
    return small_search(model=model, train=train, task=task, output=folder / "run", **(sizes | options))


@pytest.fixture(scope="module")
def questions(material: Path) -> list[Row]:
    """What a word of a sentence is; every fifth question is about a word that the sentence lacks."""
    rows: list[Row] = []
    for number, row in enumerate(read(material / "data" / "wikiann_en" / "train.jsonl", 1200)):
        words = [word for word in row["tokens"] if word.isalpha() and len(word) > 5]
        if len(row["tokens"]) < 14 and words:
            asked, texts = ("zebra", []) if number % 5 == 4 else (words[0], words[:1])
            rows.append({"question": asked, "context": " ".join(row["tokens"]), "answers": {"text": texts}})
    return rows[:660]


@pytest.fixture(scope="module")
def answering(tiny_bert: Path, questions: list[Row], tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    folder = tmp_path_factory.mktemp("questions")
    return trained(tiny_bert, "question-answering", questions[60:], folder, full_steps=80, max_train_rows=600)


def test_answers_to_questions_have_the_figure_that_evaluate_gives(
    answering: SearchResult, questions: list[Row], tmp_path: Path
) -> None:
    path = write(tmp_path / "new.jsonl", questions[:60])
    rows = answered(answering, path, "--batch-size", 7)
    for row in rows:
        start, text = row["prediction_start"], row["prediction"]
        assert (start is None and text == "") or row["context"][start : start + len(text)] == text
    assert {row["prediction_start"] is None for row in rows} == {True, False}
    scores = [squad_f1(tuple(row["answers"]["text"]) or ("",), row["prediction"]) for row in rows]
    assert sum(scores) / len(scores) == pytest.approx(figure(answering, path))


def test_a_long_text_is_searched_to_its_end(answering: SearchResult, questions: list[Row], tmp_path: Path) -> None:
    found = answered(answering, write(tmp_path / "short.jsonl", questions[:60]))
    told = next(row for row in found if row["prediction"])
    filler = "the of and a to in is was for on as by with at from it an be this that . " * 12
    long = told | {"context": filler + told["context"]}
    for name in ("prediction", "prediction_start"):
        del long[name]
    (row, nothing) = answered(answering, write(tmp_path / "long.jsonl", [long, long | {"context": " "}]))
    assert nothing["prediction"] is None and nothing["prediction_start"] is None
    assert row["prediction_start"] is None or row["prediction_start"] >= 0
    assert len(AutoTokenizer.from_pretrained(answering.result["asked"]["model"])(long["context"])["input_ids"]) > 200


def test_the_number_of_the_choice_is_given(tiny_bert: Path, material: Path, tmp_path: Path) -> None:
    rows = read(material / "data" / "copa" / "train.jsonl", 120)
    run = trained(tiny_bert, "multiple-choice", rows, tmp_path)
    path = write(tmp_path / "new.jsonl", read(material / "data" / "copa" / "validation.jsonl", 40))
    found = answered(run, path)
    for row in found:
        assert row["prediction"] == max((0, 1), key=row["probabilities"].__getitem__)
        assert row["prediction_text"] == row[f"choice{row['prediction'] + 1}"]
    right = sum(row["prediction"] == row["label"] for row in found) / len(found)
    assert right == pytest.approx(figure(run, path))
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), run.best.load()
    first = found[0]
    asked = [f"{first['premise']} {first['question']}"] * 2
    pairs = tokenizer(asked, [first["choice1"], first["choice2"]], padding=True, return_tensors="pt")
    with torch.no_grad():
        shares = model(**{name: tensor[None] for name, tensor in pairs.items()}).logits[0].softmax(-1)
    assert first["probabilities"] == pytest.approx(shares.tolist(), abs=1e-4)


@pytest.fixture(scope="module")
def talking(material: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    rows = read(material / "data" / "alpaca_en_demo" / "train.jsonl", 60)
    folder = tmp_path_factory.mktemp("chat")
    return trained(material / "models" / "stories260k", "instruction-tuning", rows, folder, max_length=96)


def test_an_instruction_is_answered_as_the_loaded_model_goes_on(
    talking: SearchResult, material: Path, tmp_path: Path
) -> None:
    model, tokenizer = talking.best.load(), AutoTokenizer.from_pretrained(material / "models" / "stories260k")
    asked: list[Row] = [
        {"instruction": "Tell a story.", "input": "", "output": None},
        {"instruction": "Name a color.", "input": "the sky at night", "output": None},
        {"instruction": " ", "input": "", "output": None},
    ]
    rows = answered(talking, write(tmp_path / "new.jsonl", asked), "--max-new-tokens", 12)
    prompts = [
        "### Instruction:\nTell a story.\n\n### Response:\n",
        "### Instruction:\nName a color.\n\nthe sky at night\n\n### Response:\n",
    ]
    for row, prompt in zip(rows, prompts, strict=False):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        written = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False, eos_token_id=2, pad_token_id=0)
        assert row["prediction"] == tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert rows[2]["prediction"] is None


def test_rows_with_different_columns_keep_them_all_in_a_csv(talking: SearchResult, tmp_path: Path) -> None:
    rows: list[Row] = [{"instruction": "Say a.", "input": ""}, {"instruction": "Say b.", "input": "c", "id": 7}]
    target = tmp_path / "answered.csv"
    path = write(tmp_path / "new.jsonl", rows)
    result = invoke("predict", talking.path, "--input", path, "--output", target, "--max-new-tokens", 2)
    assert result.exit_code == 0, result.stderr
    with target.open(encoding="utf-8", newline="") as lines:
        (first, second) = csv.DictReader(lines)
    assert list(first) == ["instruction", "input", "id", "prediction"]
    assert (first["id"], second["id"]) == ("", "7")


def test_columns_that_the_answers_need_are_refused(answering: SearchResult, tmp_path: Path) -> None:
    path = write(tmp_path / "new.jsonl", [{"question": "q", "context": "c", "prediction_start": 1}])
    result = invoke("predict", answering.path, "--input", path)
    assert result.exit_code == 2 and "prediction_start" in result.stderr

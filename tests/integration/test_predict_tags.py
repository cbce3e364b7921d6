"""`autopeft predict` on runs of token classification: words get tags, texts get spans, and `evaluate` agrees."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities
from transformers import AutoTokenizer

from autopeft.api.finished import open_finished
from autopeft.api.predict import tagger_of
from autopeft.api.run import SearchResult
from autopeft.artifacts.tagger import Sentence
from autopeft.data.words import spans_of, split_words
from tests.integration.asked import answered, figure, invoke
from tests.integration.conftest import small_search

LENGTH = 48
Row = dict[str, Any]


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def in_text(row: Row) -> Row:
    """The row as a text with spans."""
    places, at = [], 0
    for word in row["tokens"]:
        places.append((at, at + len(word)))
        at += len(word) + 1
    spans = [{"start": one.start, "end": one.end, "label": one.label} for one in spans_of(row["ner_tags"], places)]
    return {"text": " ".join(row["tokens"]), "spans": spans}


def trained(model: Path, rows: list[Row], folder: Path) -> SearchResult:
    return small_search(
        model=model,
        train=str(write(folder / "rows.jsonl", rows)),
        task="token-classification",
        output=folder / "run",
        methods=["lora"],
        trials=1,
        full_steps=100,
        max_train_rows=600,
        max_length=LENGTH,
        top=1,
        confirm_seeds=1,
    )


@pytest.fixture(scope="module")
def entities(material: Path) -> list[Row]:
    lines = (material / "data" / "wikiann_en" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[Row] = [json.loads(line) for line in lines[:1300]]
    return [row for row in rows if len(row["tokens"]) < 16]


@pytest.fixture(scope="module")
def run(tiny_bert: Path, entities: list[Row], tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return trained(tiny_bert, entities[100:], tmp_path_factory.mktemp("tags"))


def test_the_tags_have_the_figure_that_evaluate_gives(run: SearchResult, entities: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path / "new.jsonl", entities[:100])
    rows = answered(run, path, "--batch-size", 7)
    assert [row["tokens"] for row in rows] == [row["tokens"] for row in entities[:100]]
    assert all(len(row["prediction"]) == len(row["tokens"]) for row in rows)
    found = f1_score([row["ner_tags"] for row in rows], [row["prediction"] for row in rows])
    assert found > 0 and found == pytest.approx(figure(run, path))


def test_the_tags_are_those_of_the_loaded_model(
    run: SearchResult, entities: list[Row], tiny_bert: Path, tmp_path: Path
) -> None:
    """Every word has its tag, also in a row that is longer than the model reads."""
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_bert), run.best.load()
    labels = list(run.result["data"]["labels"])
    long = {"tokens": [word for row in entities[:30] for word in row["tokens"]]}
    blank: Row = {"tokens": []}
    (tags, nothing, first) = answered(run, write(tmp_path / "long.jsonl", [long, blank, entities[0]]))
    assert nothing["prediction"] is None
    assert len(tags["prediction"]) == len(long["tokens"]) and set(tags["prediction"]) <= set(labels)
    encoded = tokenizer([entities[0]["tokens"]], is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        best = model(**encoded).logits[0].argmax(-1).tolist()
    words = encoded.word_ids(0)
    assert first["prediction"] == [labels[best[words.index(word)]] for word in range(len(entities[0]["tokens"]))]


def test_the_spans_of_a_text_say_what_the_tags_of_its_words_say(run: SearchResult, entities: list[Row]) -> None:
    tagger = tagger_of(open_finished(run.path))
    rows = [Sentence(*split_words(" ".join(row["tokens"]))) for row in entities[:40]]
    tags = tagger.answers(Sentence(row.words) for row in rows)
    count = 0
    for row, told, found in zip(rows, tags, tagger.answers(rows), strict=True):
        assert row.places is not None
        expected = [
            {"start": row.places[first][0], "end": row.places[last][1], "label": label}
            for label, first, last in get_entities(told["prediction"])
        ]
        assert found["prediction"] == expected
        count += len(expected)
    assert count


@pytest.mark.slow
def test_a_text_is_answered_with_its_spans(tiny_bert: Path, entities: list[Row], tmp_path: Path) -> None:
    run = trained(tiny_bert, [in_text(row) for row in entities[100:]], tmp_path)
    path = write(tmp_path / "new.jsonl", [in_text(row) for row in entities[:100]])
    rows = answered(run, path)
    told, found = (
        {(number, *span.values()) for number, row in enumerate(rows) for span in row[column]}
        for column in ("spans", "prediction")
    )
    right = len(told & found)
    assert right and 2 * right / (len(told) + len(found)) == pytest.approx(figure(run, path))


def test_csv_keeps_words_and_tags_in_a_cell_each(run: SearchResult, entities: list[Row], tmp_path: Path) -> None:
    with open(tmp_path / "new.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["words of it"], *([json.dumps(row["tokens"])] for row in entities[:5]), ["plain words"]])
    result = invoke("predict", run.path, "--input", tmp_path / "new.csv", "--tokens-column", "words of it")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    counts = [len(json.loads(row["prediction"])) for row in rows]
    assert counts == [*(len(row["tokens"]) for row in entities[:5]), 2]


def test_what_is_no_list_of_words_is_one_line(run: SearchResult, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [{"tokens": ["fine"]}, {"tokens": 5}])
    result = invoke("predict", run.path, "--input", tmp_path / "in.jsonl")
    assert result.exit_code == 4 and "line 2" in result.stderr and result.stderr.count("\n") == 2

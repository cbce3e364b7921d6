"""What is encoded for tags and spans says what the rows said, on every row that is not cut."""

import json
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.batches import IGNORED
from autopeft.data.cells import Answer, Span
from autopeft.data.encode_spans import context_tokens, text_between
from autopeft.data.rows import Rows
from autopeft.data.task_data import TaskData
from autopeft.data.tokenize import tokenize
from autopeft.data.words import spans_of, split_words, tagged
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.training.answers import true_tags

TASKS = load_catalog().tasks
MODELS = ("minilm-tiny-distilled", "stories260k", "t5-tiny-news", "babyllama-char")
ROWS = [300, pytest.param(None, marks=pytest.mark.slow)]
LONG = 2**14


def read(path: Path, most: int | None) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, most)]


def encode(task: str, rows: Rows, model: Path, names: tuple[str, ...] = (), length: int = LONG) -> TaskData:
    tokenizer = load_tokenizer(model)
    tokenizer.model_max_length = LONG
    return tokenize({"train": rows}, TASKS[task], tokenizer, length, label_names=names)


def rows_of(texts: dict[str, list[str]], values: dict[str, list[Any]]) -> Rows:
    count = len(next(iter((texts | values).values())))
    return Rows(texts, None, range(1, count + 1), values)


@pytest.mark.parametrize("most", ROWS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("data", ["wnut17/train", "wikiann_en/train"])
def test_tags_come_back(material: Path, model: str, data: str, most: int | None) -> None:
    found = read(material / "data" / f"{data}.jsonl", most)
    tags = [tuple(row["ner_tags"]) for row in found]
    rows = rows_of({}, {"tokens": [tuple(row["tokens"]) for row in found], "tags": tags})
    names = tuple(sorted({tag for row in tags for tag in row}))
    encoded = encode("token-classification", rows, material / "models" / model, names).splits["train"]
    assert [tuple(tag for _, tag in true_tags(encoded, names, row)) for row in range(len(tags))] == tags


def entities(tokens: list[str], tags: list[str]) -> Iterator[Span]:
    """The entities of a row in the text that its words make when joined by spaces."""
    at = 0
    places = []
    for token in tokens:
        places.append((at, at + len(token)))
        at += len(token) + 1
    yield from spans_of(tags, places)


@pytest.mark.parametrize("most", ROWS)
def test_spans_come_back(material: Path, most: int | None) -> None:
    found = read(material / "data" / "wikiann_en" / "train.jsonl", most)
    texts = [" ".join(row["tokens"]) for row in found]
    spans = [tuple(entities(row["tokens"], row["ner_tags"])) for row in found]
    rows = rows_of({"text": texts}, {"spans": spans})
    labels = tuple(sorted({span.label for row in spans for span in row}))
    data = encode("token-classification", rows, material / "models" / MODELS[0], labels)
    for row, (text, true) in enumerate(zip(texts, spans, strict=True)):
        if tagged(text, true).misfits:
            continue
        tags = [tag for _, tag in true_tags(data.splits["train"], data.label_names, row)]
        assert spans_of(tags, split_words(text)[1]) == true
    assert sum(tagged(text, true).misfits for text, true in zip(texts, spans, strict=True)) < len(texts) / 100


def questions(material: Path, most: int | None) -> tuple[list[str], list[str], list[tuple[Answer, ...]]]:
    """Passages with a stretch of words of each as the answer; of every fifth there is none."""
    found = read(material / "data" / "boolq" / "validation.jsonl", most)
    asked, contexts, answers = [], [], []
    for number, row in enumerate(found):
        words, places = split_words(row["passage"])
        first = (number * 7) % len(words)
        last = min(first + number % 4, len(words) - 1)
        start, end = places[first][0], places[last][1]
        asked.append(row["question"])
        contexts.append(row["passage"])
        # Nobody's answer begins or ends between a letter and its accent.
        edges = row["passage"][start] + row["passage"][end - 1 : end + 1]
        amid = any(unicodedata.category(sign) in ("Mn", "Cf") for sign in edges)
        answers.append(() if amid or number % 5 == 4 else (Answer(row["passage"][start:end], start),))
    return asked, contexts, answers


@pytest.mark.parametrize("most", [200, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("model", MODELS[:2])
def test_answers_come_back(material: Path, model: str, most: int | None) -> None:
    asked, contexts, answers = questions(material, most)
    rows = rows_of({"question": asked, "context": contexts}, {"answers": answers})
    encoded = encode("question-answering", rows, material / "models" / model).splits["train"]
    assert encoded.positions is not None and encoded.offsets is not None
    for row, true in enumerate(answers):
        first, last = map(int, encoded.positions[row])
        assert encoded.reference(row) == [contexts[row], [answer.text for answer in true]]
        if not true:
            assert (first, last) == (0, 0)
            continue
        assert context_tokens(encoded.offsets, row)[[first, last]].all()
        assert text_between(contexts[row], encoded.offsets[row], first, last) == true[0].text


def test_an_answer_that_is_cut_off_counts_as_none_and_is_said(material: Path) -> None:
    context = "word " * 300 + "Zanzibar"
    rows = rows_of(
        {"question": ["where?", "what?"], "context": [context, context]},
        {"answers": [(Answer("Zanzibar", 1500),), (Answer("word", -1),)]},
    )
    data = encode("question-answering", rows, material / "models" / MODELS[0], length=64)
    positions = data.splits["train"].positions
    assert positions is not None
    assert positions[0].tolist() == [0, 0] and positions[1].tolist() != [0, 0]
    assert data.truncated_rows == 2
    assert any("1 answers lie beyond 64 tokens" in note for note in data.notes)


def test_a_row_that_is_cut_keeps_the_tags_of_its_first_words(material: Path) -> None:
    tags = tuple(f"B-{number % 2}" for number in range(40))
    rows = rows_of({}, {"tokens": [("word",) * 40], "tags": [tags]})
    data = encode("token-classification", rows, material / "models" / MODELS[0], ("B-0", "B-1"), length=16)
    kept = [tag for _, tag in true_tags(data.splits["train"], data.label_names, 0)]
    assert tuple(kept) == tags[: len(kept)] and len(kept) == 14
    tokenizer = load_tokenizer(material / "models" / MODELS[0])
    assert data.splits["train"].input_ids[0][-1] == tokenizer.sep_token_id
    assert data.truncated_rows == 1


def test_a_word_that_the_tokenizer_drops_keeps_its_tag(material: Path) -> None:
    rows = rows_of({}, {"tokens": [("a", "\u200b", "b")], "tags": [("O", "B-X", "O")]})
    data = encode("token-classification", rows, material / "models" / MODELS[0], ("B-X", "O"))
    assert [tag for _, tag in true_tags(data.splits["train"], data.label_names, 0)] == ["O", "B-X", "O"]


def test_a_tag_that_training_lacks_teaches_nothing_and_counts_as_a_miss(material: Path) -> None:
    rows = rows_of({}, {"tokens": [("a", "b")], "tags": [("B-Y", "O")]})
    data = encode("token-classification", rows, material / "models" / MODELS[0], ("B-X", "O"))
    labels = data.batch("train", [0])["labels"]
    assert labels[0].tolist().count(IGNORED) == labels.shape[1] - 1
    assert [tag for _, tag in true_tags(data.splits["train"], data.label_names, 0)] == ["B-(not in training)", "O"]

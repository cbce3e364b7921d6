"""A search on every kind of task, by one command, from a file to an adapter that loads.

What no shared data set has (several labels a row, questions without an answer, translation) is built from shared texts.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autopeft.cli.main import cli
from autopeft.data.words import split_words
from autopeft.domain.metrics import METRICS

ENCODER, SEQ2SEQ, DECODER = "minilm-tiny-distilled", "t5-tiny-news", "stories260k"
Build = Callable[[Path], Iterator[dict[str, Any]]]


def read(path: Path, most: int) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, most)]


def several_labels(data: Path) -> Iterator[dict[str, Any]]:
    """News of two topics in one text."""
    rows = read(data / "ag_news" / "train.jsonl", 240)
    for one, other in zip(rows[::2], rows[1::2], strict=True):
        topics = sorted({f"topic {one['label']}", f"topic {other['label']}"})
        yield {"text": f"{one['text'][:80]} {other['text'][:80]}", "labels": topics}


def questions(data: Path) -> Iterator[dict[str, Any]]:
    """What stands after the first three words of a passage; every fourth question is about another passage."""
    passages = [row["passage"][:300] for row in read(data / "boolq" / "train.jsonl", 121)]
    for number, passage in enumerate(passages[:-1]):
        words, places = split_words(passage)
        start, end = places[3][0], places[5][1]
        told = {"text": [passage[start:end]], "answer_start": [start]}
        context = passage
        if number % 4 == 3:
            context, told = passages[number + 1], {"text": [], "answer_start": []}
        yield {"question": f"What follows {' '.join(words[:3])}?", "context": context, "answers": told}


def translations(data: Path) -> Iterator[dict[str, Any]]:
    """Sentences in upper case and with the words turned round: a language that is easy to write."""
    for row in read(data / "rte" / "train.jsonl", 120):
        words = row["sentence2"].split()
        yield {"source": row["sentence2"], "target": " ".join(reversed(words)).upper()}


def shared(name: str, split: str = "train", most: int = 120) -> Build:
    return lambda data: iter(read(data / name / f"{split}.jsonl", most))


CASES: dict[str, tuple[str, str, Build, tuple[str, ...]]] = {
    "regression": (ENCODER, "sentence-similarity", shared("stsb"), ()),
    "multi-label": (ENCODER, "multi-label-classification", several_labels, ()),
    "tags": (ENCODER, "token-classification", shared("wikiann_en"), ()),
    "tags-decoder": (DECODER, "token-classification", shared("wnut17"), ()),
    "spans": (ENCODER, "question-answering", questions, ()),
    "choices": (ENCODER, "multiple-choice", shared("copa"), ()),
    "choices-as-text": (SEQ2SEQ, "multiple-choice-as-text", shared("copa"), ()),
    "classes-as-text": (SEQ2SEQ, "classification-as-text", shared("rte"), ("--metric", "macro_f1")),
    "summary": (SEQ2SEQ, "summarization", shared("cnn_dailymail", most=60), ("--max-length", "64")),
    "translation": (SEQ2SEQ, "translation", translations, ("--metric", "chrf")),
    "numbers": (DECODER, "math-word-problems", shared("gsm8k", most=60), ("--max-length", "128")),
    "chat": (DECODER, "instruction-tuning", shared("alpaca_en_demo", most=90), ("--max-length", "128")),
    "plain-text": (DECODER, "causal-lm", shared("ag_news"), ("--metric", "bits_per_byte")),
    "class-of-decoder": (DECODER, "sequence-classification", shared("sst2"), ("--metric", "matthews")),
}


def search(material: Path, folder: Path, case: str, *more: str) -> dict[str, Any]:
    model, task, build, options = CASES[case]
    data = folder / "rows.jsonl"
    rows = build(material / "data")
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = ["search", "--model", str(material / "models" / model), "--dataset", str(data), "--task", task]
    tiny = ["--trials", "1", "--full-steps", "4", "--batch-size", "8", "--top", "1", "--confirm-seeds", "1"]
    capped = ["--methods", "lora", "--threads", "1", "--quiet", "--format", "json", "--output", str(folder / "run")]
    capped += ["--max-evaluation-rows", "12"]
    done = CliRunner().invoke(cli, [*command, *tiny, *capped, *options, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    return result


@pytest.mark.parametrize("case", [pytest.param(name, marks=pytest.mark.slow) for name in CASES])
def test_a_task_runs_from_a_file_to_a_measured_adapter(material: Path, tmp_path: Path, case: str) -> None:
    result = search(material, tmp_path, case)
    assert result["status"] == "finished"
    metric = METRICS[result["metric"]["name"]]
    assert result["metric"]["maximize"] == metric.maximize
    best = result["best"]
    assert best["test_metric"] is not None and best["validation_mean"] is not None
    assert (tmp_path / "run" / "best_adapter" / "adapter_model.safetensors").is_file()
    scores = json.loads((tmp_path / "run" / "final.json").read_text(encoding="utf-8"))["row_scores"]
    if metric.row_mean:
        sign = 1 if metric.maximize else -1
        assert sum(scores) / len(scores) * sign == pytest.approx(best["test_metric"], abs=1e-5)
    names = {baseline["name"] for baseline in result["baselines"]}
    if not metric.of_losses:
        assert names - {"base model, untuned"}, "no baseline that needs no model"

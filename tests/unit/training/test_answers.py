"""Answers read from what a model says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GenerationConfig

from autopeft.api.own_metric import metric_name
from autopeft.artifacts.answers import Generated
from autopeft.catalog.load import load_catalog
from autopeft.data.metrics import score
from autopeft.data.rows import Rows
from autopeft.data.tokenize import tokenize
from autopeft.domain.metrics import METRICS, metrics_for, require_metric, with_metric, writes_answers
from autopeft.domain.models import ModelSpec
from autopeft.errors import UsageError
from autopeft.modeling.build import load_base
from autopeft.modeling.source import read_config
from autopeft.modeling.tokenizer import load_tokenizer
from autopeft.training.answers import best_span
from autopeft.training.writing import Writer, write

TASKS = load_catalog().tasks


def test_the_best_span_is_the_likeliest_pair_in_order_within_the_context() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        scores = torch.randn(12, 2, generator=generator)
        inside = np.zeros(12, dtype=bool)
        inside[3:11] = True
        pairs = {
            (first, last): float(scores[first, 0] + scores[last, 1])
            for first in range(3, 11)
            for last in range(first, min(first + 4, 11))
        }
        best = max(pairs, key=pairs.__getitem__)
        nothing = float(scores[0].sum())
        assert best_span(scores, inside, most_tokens=4) == (None if pairs[best] <= nothing else best)


def test_a_context_that_was_cut_away_has_no_answer() -> None:
    assert best_span(torch.randn(5, 2), np.zeros(5, dtype=bool)) is None


@pytest.mark.parametrize(("model", "kind"), [("stories260k", "decoder"), ("t5-tiny-news", "encoder-decoder")])
def test_a_batch_writes_what_each_row_alone_would_write(material: Path, model: str, kind: str) -> None:
    folder = material / "models" / model
    task, tokenizer = TASKS["text-to-text"].on(kind), load_tokenizer(folder)
    sources = ["Once upon a time, there was a little girl named Lily.", "The dog", "One day, a cat saw a big tree."]
    rows = Rows({"source": sources, "target": ["a", "b", "c"]}, None, range(1, 4))
    data = tokenize({"train": rows}, task, tokenizer)
    spec = ModelSpec(str(folder), read_config(folder / "config.json", model), folder)
    base = load_base(spec, task, 2)
    writer = Writer(tokenizer, data.pad_id, 12)
    together = write(base, data.splits["train"], [0, 1, 2], writer)
    assert together == [write(base, data.splits["train"], [row], writer)[0] for row in range(3)]
    assert any(together) and not any(text.startswith(source) for text, source in zip(together, sources, strict=True))
    assert all(len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= 14 for text in together)


def test_a_metric_is_taken_only_where_it_says_something() -> None:
    assert with_metric(TASKS["sequence-classification"], "matthews").metric == "matthews"
    assert with_metric(TASKS["regression"], "spearman").maximize
    assert not with_metric(TASKS["regression"], "mse").maximize
    with pytest.raises(UsageError, match="'rouge_l' is no metric of the task regression"):
        require_metric(TASKS["regression"], "rouge_l")
    with pytest.raises(UsageError, match="'luck' is no metric"):
        with_metric(TASKS["causal-lm"], "luck")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_every_task_can_be_scored_by_its_loss_and_by_its_own_metric(task: Any) -> None:
    names = [spec.name for spec in metrics_for(task)]
    assert task.metric in names and "loss" in names
    assert METRICS[task.metric].maximize == task.maximize
    assert writes_answers(with_metric(task, "loss")) is False


def worst(true: Any, predicted: Any) -> float:
    """A user's metric."""
    return float(min(int(a == b) for a, b in zip(true, predicted, strict=True)))


def test_a_users_own_function_scores_under_its_name() -> None:
    for given in (worst, f"{__name__}:worst"):
        name = metric_name(given)
        assert name is not None and name.endswith(":worst")
        assert score(name, [1, 0], [1, 1]) == 0.0
        assert with_metric(TASKS["sequence-classification"], name).maximize


def test_a_name_in_a_file_never_becomes_code() -> None:
    with pytest.raises(UsageError, match="was given in Python, and this process does not have it"):
        score("os:getcwd", [1], [1])
    with pytest.raises(UsageError, match="there is no metric os:no_such_thing"):
        metric_name("os:no_such_thing")


@pytest.mark.parametrize(("model", "kind"), [("stories260k", "decoder"), ("t5-tiny-news", "encoder-decoder")])
@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "adapted"])
def test_what_the_checkpoint_says_of_generation_changes_no_answer(
    material: Path, model: str, kind: str, adapted: bool
) -> None:
    folder = material / "models" / model
    task, tokenizer = TASKS["text-to-text"].on(kind), load_tokenizer(folder)
    rows = Rows({"source": ["Once upon a time", "The dog"], "target": ["a", "b"]}, None, range(1, 3))
    data = tokenize({"train": rows}, task, tokenizer)
    base: Any = load_base(ModelSpec(str(folder), read_config(folder / "config.json", model), folder), task, 2)
    asked: Any = get_peft_model(base, LoraConfig(task_type=task.peft_task_type)).eval() if adapted else base
    writer = Writer(tokenizer, data.pad_id, 12)
    plain = write(asked, data.splits["train"], [0, 1], writer)
    own = GenerationConfig(
        min_length=30, min_new_tokens=10, repetition_penalty=9.0, no_repeat_ngram_size=1, suppress_tokens=[5, 6, 7]
    )
    base.generation_config = own
    assert write(asked, data.splits["train"], [0, 1], writer) == plain
    ids = data.batch("train", [0])["input_ids"]
    before = Generated(tokenizer, 12)(asked, {"input_ids": ids})
    assert base.generation_config is own
    base.generation_config = GenerationConfig()
    assert Generated(tokenizer, 12)(asked, {"input_ids": ids}) == before

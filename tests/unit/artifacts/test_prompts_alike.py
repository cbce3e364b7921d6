"""A finished run is asked with the very tokens that its answers were trained behind."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn
from transformers import AutoTokenizer

from autopeft.artifacts.answer_rows import Asked
from autopeft.artifacts.answers import PREDICTION, Answer
from autopeft.artifacts.chat_prompts import AskedChat
from autopeft.artifacts.predictor import Predictor
from autopeft.catalog.load import load_catalog
from autopeft.data.batches import collate_prompts
from autopeft.data.load import load_task_data
from autopeft.data.task_data import TaskData
from autopeft.data.templates import PromptForm
from autopeft.domain.prompt_template import with_template

CATALOG = load_catalog()
CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
Row = dict[str, Any]


class Echo(nn.Module):
    """A decoder that is never run."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> None:
        """Take what a decoder takes."""


class Reads:
    """Answers each row with the tokens that the model would read."""

    blank: Answer = {PREDICTION: None}  # noqa: RUF012 - read only

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> list[Answer]:
        pairs = zip(batch["input_ids"], batch["attention_mask"], strict=True)
        return [{PREDICTION: ids[mask == 1].tolist()} for ids, mask in pairs]


def rows_of(material: Path, name: str, most: int) -> list[Row]:
    with (material / "data" / name / "train.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, most)]


def trained_on(data: TaskData) -> list[list[int]]:
    """The prompt of every row as training measures it, without padding."""
    batch = collate_prompts(data.splits["train"], np.arange(len(data.splits["train"])), data.pad_id)
    return [ids[mask == 1].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]


def encoded(rows: list[Row], task: Any, tokenizer: Any, **options: Any) -> TaskData:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    tables = {"train": columns, "validation": columns, "test": columns}
    return load_task_data(tables, task, tokenizer, max_length=512, allow_overlap=True, **options).encoded


@pytest.mark.parametrize("template", [None, "Q: {source}\nA:", "{source} ->"])
def test_a_source_is_written_out_alike(material: Path, template: str | None) -> None:
    tokenizer = AutoTokenizer.from_pretrained(material / "models" / "stories260k")
    task = with_template(CATALOG.task("text-to-text").on("decoder"), template)
    rows = [row for row in rows_of(material, "gsm8k", 40) if len(row["question"] + row["answer"]) < 500]
    data = encoded(rows, task, tokenizer)
    closing = PromptForm.of(task, ["source"]).closing
    predictor = Predictor(Echo(), tokenizer, Reads(), 512, 8, continues=True, closing=closing)
    asked = Asked(task, {"source": "question"})
    found = [answer[PREDICTION] for answer in predictor.answers(asked(row) for row in rows)]
    assert len(rows) > 10 and found == trained_on(data)


@pytest.mark.parametrize(
    ("name", "chat"), [("alpaca_en_demo", None), ("alpaca_en_demo", CHATML), ("dolly_hhrlhf_small", None)]
)
def test_a_conversation_is_written_out_alike(material: Path, name: str, chat: str | None) -> None:
    tokenizer = AutoTokenizer.from_pretrained(material / "models" / "stories260k")
    tokenizer.chat_template = chat
    task = CATALOG.task("instruction-tuning")
    rows = [row for row in rows_of(material, name, 60) if sum(map(len, row.values())) < 500]
    data = encoded(rows, task, tokenizer)
    asked = AskedChat.of(dict(data.columns), tokenizer, data.columns, rows[0])
    predictor = Predictor(Echo(), tokenizer, Reads(), 512, 8, continues=True, special_tokens=asked.special_tokens)
    found = [answer[PREDICTION] for answer in predictor.answers(asked(row) for row in rows)]
    assert len(rows) > 10 and found == trained_on(data)


def test_a_prompt_of_messages_is_written_out_alike(material: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(material / "models" / "stories260k")
    tokenizer.chat_template = CHATML
    said = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How many are we?"}]
    rows = [{"prompt": said, "completion": [{"role": "assistant", "content": str(n)}]} for n in range(12)]
    data = encoded(rows, CATALOG.task("instruction-tuning"), tokenizer)
    asked = AskedChat.of(dict(data.columns), tokenizer, data.columns, rows[0])
    predictor = Predictor(Echo(), tokenizer, Reads(), 512, 8, continues=True, special_tokens=asked.special_tokens)
    found = [answer[PREDICTION] for answer in predictor.answers(asked(row) for row in rows)]
    assert found == trained_on(data)


def test_a_column_without_a_name_is_no_system_message(material: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(material / "models" / "stories260k")
    asked = AskedChat({"prompt": "instruction"}, tokenizer, plain=False)
    assert asked({"": "7", "instruction": "Count."}) == asked({"instruction": "Count."})

"""What each kind of task makes of rows: what is read, what is learned, and where it is cut."""

from pathlib import Path
from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.batches import IGNORED, collate_prompts
from autopeft.data.cells import Answer, Span
from autopeft.data.chat import Conversation, Message
from autopeft.data.encode_chat import conversation_tokens
from autopeft.data.encoder import Encoder
from autopeft.data.rows import Rows
from autopeft.data.task_data import TaskData, load_task_data_from
from autopeft.data.tokenize import tokenize
from autopeft.errors import DataError, ModelError
from autopeft.modeling.tokenizer import load_tokenizer

TASKS = load_catalog().tasks
DECODER, SEQ2SEQ, ENCODER = "stories260k", "t5-tiny-news", "minilm-tiny-distilled"
CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}"
    "{{ eos_token if m['role'] == 'assistant' else '' }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def rows_of(texts: dict[str, list[str]], values: dict[str, list[Any]] | None = None, labels: Any = None) -> Rows:
    count = len(next(iter((texts | (values or {})).values())))
    return Rows(texts, labels, range(1, count + 1), values or {})


def encode(task: str, rows: Rows, folder: Path, kind: str, **options: Any) -> TaskData:
    return tokenize({"train": rows}, TASKS[task].on(kind), load_tokenizer(folder), **options)


def learned(data: TaskData, tokenizer: Any, row: int = 0) -> str:
    labels = data.splits["train"].token_labels
    assert labels is not None
    return str(tokenizer.decode([token for token in labels[row] if token != IGNORED]))


def test_a_decoder_learns_the_target_alone_and_writes_after_the_prompt(material: Path) -> None:
    folder = material / "models" / DECODER
    tokenizer = load_tokenizer(folder)
    rows = rows_of({"source": ["Once upon a time", "The cat"], "target": ["there was a dog.", "sat."]})
    data = encode("text-to-text", rows, folder, "decoder")
    assert learned(data, tokenizer) == "there was a dog.</s>"
    batch = collate_prompts(data.splits["train"], [0, 1], data.pad_id)
    assert batch["attention_mask"][1].tolist() == sorted(batch["attention_mask"][1].tolist())  # padded on the left
    texts = tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert [text.strip() for text in texts] == ["Once upon a time", "The cat"]
    # The row that is trained on begins with exactly the prompt that is written after.
    kept = batch["input_ids"][0][batch["attention_mask"][0].bool()].tolist()
    assert data.splits["train"].input_ids[0][: len(kept)].tolist() == kept


def test_a_prompt_that_is_too_long_gives_way_to_the_answer(material: Path) -> None:
    folder = material / "models" / DECODER
    rows = rows_of({"source": ["word " * 200], "target": ["yes indeed"]})
    data = encode("text-to-text", rows, folder, "decoder", max_length=32)
    assert len(data.splits["train"].input_ids[0]) == 32
    assert learned(data, load_tokenizer(folder)) == "yes indeed</s>"
    assert data.truncated_rows == 1


def test_labels_are_written_out_as_words_after_the_named_fields(material: Path) -> None:
    folder = material / "models" / SEQ2SEQ
    tokenizer = load_tokenizer(folder)
    texts = {"premise": ["it rained."], "choice1": ["he got wet."], "choice2": ["he slept."], "question": ["effect"]}
    data = encode("multiple-choice-as-text", rows_of(texts, labels=["1"]), folder, "encoder-decoder")
    split = data.splits["train"]
    asked = "choice1: he got wet. choice2: he slept. premise: it rained. question: effect"
    assert tokenizer.decode(split.input_ids[0], skip_special_tokens=True) == asked
    assert tokenizer.decode(split.targets[0], skip_special_tokens=True) == "choice2"
    assert split.reference(0) == "choice2"
    assert data.label_names == ()


def test_braces_in_a_text_are_text(material: Path) -> None:
    rows = rows_of({"text": ["{label} {text_pair}"], "text_pair": ["{text}"]}, labels=["a"])
    tokenizer = load_tokenizer(material / "models" / DECODER)
    data = encode("classification-as-text", rows, material / "models" / DECODER, "decoder")
    ids = data.splits["train"].input_ids[0]
    assert "sentence1: {label} {text_pair} sentence2: {text}" in tokenizer.decode(ids)


def conversation(*turns: tuple[str, str], plain: bool = False) -> Conversation:
    return Conversation(tuple(Message(role, content) for role, content in turns), plain=plain)


@pytest.mark.parametrize("template", [None, CHATML])
def test_only_what_the_assistant_says_is_learned(material: Path, template: str | None) -> None:
    tokenizer = load_tokenizer(material / "models" / DECODER)
    tokenizer.chat_template = template
    turns = (("user", "Hello"), ("assistant", "Hi there"), ("user", "Bye"), ("assistant", "See you"))
    ids, labels = conversation_tokens(conversation(*turns), Encoder.of(tokenizer, None))
    said = tokenizer.decode([label for label in labels if label != IGNORED]).split("</s>")
    assert [part.strip() for part in said if part.strip()] == ["Hi there", "See you"]
    assert all(token == label for token, label in zip(ids, labels, strict=True) if label != IGNORED)
    assert labels.count(tokenizer.eos_token_id) == 2  # it learns to stop, after each answer
    text = tokenizer.decode(ids)
    assert ("<|user|>" in text) == (template is not None)
    assert ("### Instruction:" in text) == (template is None)


def test_a_plain_prompt_and_completion_are_joined_as_they_are(material: Path) -> None:
    tokenizer = load_tokenizer(material / "models" / DECODER)
    tokenizer.chat_template = CHATML
    row = conversation(("user", "Q: why?\nA: "), ("assistant", "because"), plain=True)
    ids, labels = conversation_tokens(row, Encoder.of(tokenizer, None))
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == "Q: why?\nA: because"
    assert tokenizer.decode([label for label in labels if label != IGNORED]).strip() == "because</s>"


def test_a_template_that_rewrites_earlier_turns_is_refused(material: Path) -> None:
    tokenizer = load_tokenizer(material / "models" / DECODER)
    tokenizer.chat_template = "{{ messages|length }}{{ messages[-1]['content'] }}"
    turns = (("user", "a"), ("assistant", "b"))
    with pytest.raises(ModelError, match="rewrites earlier turns"):
        conversation_tokens(conversation(*turns), Encoder.of(tokenizer, None))
    tokenizer.chat_template = "{{ raise_exception('no system turn') }}"
    with pytest.raises(ModelError, match="no system turn"):
        conversation_tokens(conversation(*turns), Encoder.of(tokenizer, None))


def test_conversations_whose_answer_is_cut_away_are_left_out_and_said(material: Path) -> None:
    long = conversation(("user", "word " * 100), ("assistant", "never seen"))
    short = conversation(("user", "a"), ("assistant", "b"))
    folder = material / "models" / DECODER
    data = encode("instruction-tuning", rows_of({}, {"messages": [long, short]}), folder, "decoder", max_length=64)
    assert data.rows == {"train": 1}
    assert any("1 rows whose answer lies beyond 64 tokens are not used" in note for note in data.notes)
    with pytest.raises(DataError, match="no answer of the train split begins within 64 tokens"):
        encode("instruction-tuning", rows_of({}, {"messages": [long]}), folder, "decoder", max_length=64)


def test_several_labels_a_row_are_ones_among_zeros_and_may_be_none(material: Path) -> None:
    rows = rows_of({"text": ["a", "b", "c"]}, {"labels": [("x", "z"), (), ("y",)]})
    data = encode(
        "multi-label-classification", rows, material / "models" / ENCODER, "encoder", label_names=("x", "y", "z")
    )
    assert data.batch("train", [0, 1, 2])["labels"].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert data.label_rows == {"x": 1, "y": 1, "z": 1}
    assert data.outputs == 3


def test_choices_come_as_a_list_or_in_columns_and_labels_as_numbers_or_letters(material: Path) -> None:
    folder = material / "models" / ENCODER
    listed = rows_of({"premise": ["p", "q"]}, {"choices": [("a b", "c"), ("d", "e f g")]}, labels=["0", "1"])
    columns = rows_of({"premise": ["p", "q"], "choice1": ["a b", "d"], "choice2": ["c", "e f g"]}, labels=["A", "b"])
    one, other = (encode("multiple-choice", rows, folder, "encoder") for rows in (listed, columns))
    for name, tensor in one.batch("train", [1, 0]).items():
        assert tensor.tolist() == other.batch("train", [1, 0])[name].tolist(), name
    assert one.batch("train", [0, 1])["input_ids"].shape[:2] == (2, 2)
    assert one.outputs == 2
    uneven = rows_of({"premise": ["p", "q"]}, {"choices": [("a", "b"), ("c", "d", "e")]}, labels=["0", "1"])
    with pytest.raises(DataError, match="train row 2: 3 choices where the first training row has 2"):
        encode("multiple-choice", uneven, folder, "encoder")
    wrong = rows_of({"premise": ["p"]}, {"choices": [("a", "b")]}, labels=["2"])
    with pytest.raises(DataError, match="the label '2' is none of the 2 choices"):
        encode("multiple-choice", wrong, folder, "encoder")


def test_the_bytes_of_a_language_model_add_up_to_those_of_the_text(material: Path) -> None:
    texts = ["Once upon a time there was a cat. " * 40, "Ünïcode größer."]
    data = encode("causal-lm", rows_of({"text": texts}), material / "models" / DECODER, "decoder", max_length=64)
    counted = data.splits["train"].row_bytes
    assert counted is not None
    total = sum(len(text.encode()) for text in texts)
    # The first token of each block is read and not predicted.
    assert total * 0.95 < counted.sum() < total


def test_everything_that_is_encoded_comes_back_from_disk(material: Path, tmp_path: Path) -> None:
    cases = [
        ("multiple-choice", "encoder", rows_of({"premise": ["p"]}, {"choices": [("a", "b")]}, labels=["1"])),
        ("regression", "encoder", rows_of({"text": ["p"]}, {"label": [2.5]})),
        ("text-to-text", "decoder", rows_of({"source": ["a"], "target": ["é b"]})),
        ("token-classification", "encoder", rows_of({}, {"tokens": [("a", "b")], "tags": [("O", "B-X")]})),
    ]
    for task, kind, rows in cases:
        folder = material / "models" / (ENCODER if kind == "encoder" else DECODER)
        names = ("B-X", "O") if task == "token-classification" else ()
        data = encode(task, rows, folder, kind, cache_dir=tmp_path, label_names=names)
        assert data.folder is not None
        again = load_task_data_from(data.folder)
        for name, array in data.splits["train"].arrays().items():
            assert array.tolist() == again.splits["train"].arrays()[name].tolist()
        for name, tensor in data.batch("train", [0]).items():
            assert tensor.tolist() == again.batch("train", [0])[name].tolist()


def test_a_label_of_several_that_no_training_row_has_is_named_with_its_row(material: Path) -> None:
    known = rows_of({"text": ["a", "b"]}, {"labels": [("x",), ("y",)]})
    held_out = rows_of({"text": ["c", "d"]}, {"labels": [("x",), ("y", "new")]})
    task, tokenizer = TASKS["multi-label-classification"], load_tokenizer(material / "models" / ENCODER)
    with pytest.raises(DataError, match="row 2: the label 'new' of test does not occur") as caught:
        tokenize({"train": known, "test": held_out}, task, tokenizer, label_names=("x", "y"))
    assert "known labels: x, y" in str(caught.value.hint)


def test_a_question_of_few_characters_and_many_tokens_leaves_room_for_the_context(material: Path) -> None:
    folder = material / "models" / ENCODER
    question = "대한민국의 수도는 어디인가요"
    assert len(load_tokenizer(folder)(question)["input_ids"]) > 32 > len(question)
    rows = rows_of({"question": [question], "context": ["Seoul is the capital."]}, {"answers": [(Answer("Seoul", 0),)]})
    data = encode("question-answering", rows, folder, "encoder", max_length=32)
    assert data.splits["train"].lengths.max() <= 32
    first, last = data.batch("train", [0])["start_positions"].item(), data.batch("train", [0])["end_positions"].item()
    assert load_tokenizer(folder).decode(data.splits["train"].input_ids[0][first : last + 1]) == "seoul"


def test_texts_with_spans_are_measured_by_the_tags_that_a_run_has_learned(material: Path) -> None:
    rows = rows_of({"text": ["Ann met Bob"]}, {"spans": [(Span(0, 3, "PER"), Span(8, 11, "PER"))]})
    folder, learned_tags = material / "models" / ENCODER, ("O", "B-PER", "I-PER")
    first = encode("token-classification", rows, folder, "encoder", label_names=("PER",))
    again = encode("token-classification", rows, folder, "encoder", label_names=learned_tags)
    assert first.label_names == again.label_names == learned_tags
    for data in (first, again):
        assert [tag for tag in data.batch("train", [0])["labels"][0].tolist() if tag >= 0] == [1, 0, 1]

"""Every form of instruction and conversation becomes the one that is trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.chat import Conversation, Message, conversation_of
from autopeft.data.load import PreparedData, prepare_data
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError

ASKED, SAID = "How many legs has a spider?", "Eight."
EXPECTED = (Message("user", ASKED), Message("assistant", SAID))


@pytest.fixture(scope="module")
def task() -> TaskSpec:
    return load_catalog().task("instruction-tuning")


def first(task: TaskSpec, row: dict[str, Any], **options: Any) -> Conversation:
    rows = [{name: _numbered(cell, number) for name, cell in row.items()} for number in range(20)]
    columns = {name: [one[name] for one in rows] for name in row}
    return row_one(prepare_data(columns, task, **options))


def row_one(prepared: PreparedData) -> Conversation:
    """The first row, whichever split it was cut into."""
    places = [(rows, list(rows.numbers).index(1)) for rows in prepared.rows.values() if 1 in rows.numbers]
    conversation = places[0][0].values["messages"][places[0][1]]
    assert isinstance(conversation, Conversation)
    return conversation


def _numbered(cell: Any, number: int) -> Any:
    """Other rows ask something else, so that none is a copy."""
    text = json.dumps(cell)
    return cell if number == 0 else json.loads(text.replace("spider", f"spider {number}"))


@pytest.mark.parametrize(
    ("row", "plain"),
    [
        ({"prompt": ASKED, "completion": SAID}, True),
        ({"prompt": ASKED, "response": SAID}, True),
        ({"instruction": ASKED, "output": SAID}, False),
        ({"instruction": ASKED, "input": "", "output": SAID}, False),
        ({"question": ASKED, "answer": SAID}, False),
        ({"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]}, False),
        ({"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]}, False),
        ({"messages": json.dumps([{"role": "User", "content": ASKED}, {"role": "assistant", "content": SAID}])}, False),
        (
            {
                "prompt": [{"role": "user", "content": ASKED}],
                "completion": [{"role": "assistant", "content": SAID}],
            },
            False,
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": ASKED}]},
                    {"role": "assistant", "content": SAID},
                ]
            },
            False,
        ),
    ],
)
def test_all_forms_give_the_same_messages(task: TaskSpec, row: dict[str, Any], plain: bool) -> None:
    conversation = first(task, row)
    assert conversation.messages == EXPECTED
    assert conversation.plain == plain


def test_an_alpaca_input_follows_its_instruction(task: TaskSpec) -> None:
    conversation = first(task, {"instruction": "Translate.", "input": "the spider", "output": "die Spinne"})
    assert conversation.messages[0].content == "Translate.\n\nthe spider"


def test_a_system_column_opens_the_conversation(task: TaskSpec) -> None:
    conversation = first(task, {"system_prompt": "Be brief.", "question": ASKED, "response": SAID})
    assert conversation.messages == (Message("system", "Be brief."), *EXPECTED)


def test_what_follows_the_last_answer_is_cut_and_counted(task: TaskSpec) -> None:
    turns = [("human", ASKED), ("gpt", SAID), ("human", "Thanks")]
    row = [{"from": who, "value": text} for who, text in turns]
    prepared = prepare_data({"conversations": [_numbered(row, number) for number in range(20)]}, task)
    assert row_one(prepared).messages == EXPECTED
    assert "train: 20 messages behind the last answer of their conversation are not used" in prepared.notes


def test_shared_sets_are_read(task: TaskSpec, material: Path) -> None:
    alpaca = prepare_data(material / "data" / "alpaca_en_demo", task).rows["train"].values["messages"]
    dolly = prepare_data(material / "data" / "dolly_hhrlhf_small", task).rows["train"].values["messages"]
    assert not any(conversation.plain for conversation in alpaca)
    assert all(conversation.plain for conversation in dolly)
    assert all(conversation.messages[-1].role == "assistant" for conversation in (*alpaca, *dolly))


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ("hello", "a str, not a list"),
        (["hello"], "message 1: a str, not a role and a content"),
        ([{"role": "narrator", "content": "x"}], "the role 'narrator' is unknown"),
        ([{"role": "assistant", "content": 1.5, "tool_calls": [{}]}], "tool calls are not supported"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "a part of the content is no text"),
        ([{"role": "user", "content": {"a": 1}}], "a dict where a text should be"),
    ],
)
def test_what_is_no_conversation_is_refused(turns: Any, says: str) -> None:
    with pytest.raises(DataError) as caught:
        conversation_of(turns, "rows.jsonl line 3")
    assert caught.value.message.startswith("rows.jsonl line 3")
    assert says in caught.value.message


@pytest.mark.parametrize("turns", [None, [], [{"role": "user", "content": "a"}]])
def test_nothing_answered_is_a_missing_row(turns: Any) -> None:
    assert conversation_of(turns, "") is None

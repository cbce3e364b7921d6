"""Conversations for a decoder: what the assistant says is learned, everything else is only read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autopeft.data.batches import IGNORED
from autopeft.data.chat import Conversation, Message
from autopeft.data.encoder import Encoder, length_from
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData
from autopeft.errors import DataError, ModelError

# (text, whether the assistant says it)
Piece = tuple[str, bool]

# For tokenizers without a chat template: the headings of the Alpaca project's prompt.
_HEADINGS = {"user": "### Instruction:\n", "assistant": "### Response:\n", "tool": "### Result:\n", "system": ""}
_GAP = "\n\n"


def encode_chat(data: TaskData, splits: Mapping[str, Rows], encoder: Encoder, max_length: int | None) -> TaskData:
    """Every conversation as one row, cut at its end.

    Raises:
        ModelError: the tokenizer does not tell which characters a token covers, or its chat template fails.
        DataError: no answer of the training rows is within the greatest length.
    """
    encoder.require_words()
    encoded = {split: _encode(rows.values["messages"], encoder) for split, rows in splits.items()}
    most = max_length or length_from(encoded["train"][0].lengths, encoder.limit)
    done, truncated, unanswered = {}, 0, 0
    for split, (ids, labels) in encoded.items():
        cut = labels.cut_to(most)
        answered = [row for row in range(len(cut)) if (cut[row] != IGNORED).any()]
        if not answered:
            raise DataError(f"no answer of the {split} split begins within {most} tokens", hint="raise --max-length")
        truncated += int((ids.lengths > most).sum())
        unanswered += len(cut) - len(answered)
        done[split] = EncodedSplit(_rows(ids.cut_to(most), answered), token_labels=_rows(cut, answered))
    notes = [f"{unanswered} rows whose answer lies beyond {most} tokens are not used"] if unanswered else []
    if encoder.tokenizer.chat_template is None and _has_turns(splits["train"].values["messages"]):
        notes.append("the tokenizer has no chat template: turns are headed ### Instruction and ### Response")
    return replace(data, splits=done, max_length=most, truncated_rows=truncated, notes=tuple(notes))


def _has_turns(conversations: Sequence[Conversation]) -> bool:
    return any(not conversation.plain for conversation in conversations[:100])


def _rows(ragged: Ragged, rows: Sequence[int]) -> Ragged:
    if len(rows) == len(ragged):
        return ragged
    writer = RaggedWriter()
    writer.add(ragged[row].tolist() for row in rows)
    return writer.close()


def _encode(conversations: Sequence[Conversation], encoder: Encoder) -> tuple[Ragged, Ragged]:
    ids, labels = RaggedWriter(), RaggedWriter()
    for conversation in conversations:
        own_ids, own_labels = conversation_tokens(conversation, encoder)
        ids.add([own_ids])
        labels.add([own_labels])
    return ids.close(), labels.close()


def conversation_tokens(conversation: Conversation, encoder: Encoder) -> tuple[list[int], list[int]]:
    """Tokens, and for each itself where the assistant says it, else -100.

    Raises:
        ModelError: the chat template fails.
    """
    tokenizer = encoder.tokenizer
    templated = tokenizer.chat_template is not None and not conversation.plain
    pieces = _templated(conversation, tokenizer) if templated else _headed(conversation, tokenizer.eos_token or "")
    text = "".join(piece for piece, _ in pieces)
    # A chat template writes the tokens that begin a text itself.
    encoded = tokenizer(text, add_special_tokens=not templated, return_offsets_mapping=True, verbose=False)
    ids: list[int] = encoded["input_ids"]
    # A token that begins with the end of what was asked, such as its last space, is the answer's.
    said = _said(pieces, len(text))
    places = encoded["offset_mapping"]
    labels = [
        token if end > start and said[end - 1] else IGNORED for token, (start, end) in zip(ids, places, strict=True)
    ]
    return ids or [encoder.filler], labels or [IGNORED]


def prompt_text(asked: Sequence[Message], tokenizer: Any, *, plain: bool) -> str:
    """What the model writes its answer after, in the form that it was trained on.

    Args:
        asked: the messages so far, at least one.
        tokenizer: whose chat template is used where there is one.
        plain: whether the one message is complete as it is.

    Raises:
        ModelError: the chat template fails.
    """
    if plain:
        return asked[0].content
    if tokenizer.chat_template is not None:
        return _render(tokenizer, _turns(asked), add_generation_prompt=True)
    end = tokenizer.eos_token or ""
    return "".join(text for text, _ in _headed_turns(asked, end)) + _HEADINGS["assistant"]


def _said(pieces: Sequence[Piece], length: int) -> np.ndarray[Any, Any]:
    """For every character whether the assistant says it."""
    said = np.zeros(length + 1, dtype=bool)
    at = 0
    for text, by_assistant in pieces:
        said[at : at + len(text)] = by_assistant
        at += len(text)
    return said


def _headed(conversation: Conversation, end: str) -> list[Piece]:
    if conversation.plain:
        prompt, answer = conversation.messages
        return [(prompt.content, False), (answer.content + end, True)]
    return _headed_turns(conversation.messages, end)[:-1]


def _headed_turns(messages: Sequence[Message], end: str) -> list[Piece]:
    """Each message under the heading of its role, with a gap behind it."""
    pieces: list[Piece] = []
    for message in messages:
        own = message.role == "assistant"
        pieces += [(_HEADINGS[message.role], False), (message.content + (end if own else ""), own), (_GAP, False)]
    return pieces


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _templated(conversation: Conversation, tokenizer: Any) -> list[Piece]:
    """What the tokenizer's chat template adds with each answer is the assistant's, its closing token included."""
    turns = _turns(conversation.messages)
    pieces: list[Piece] = []
    text = ""
    for place, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        asked = _render(tokenizer, turns[:place], add_generation_prompt=True)
        answered = _render(tokenizer, turns[: place + 1], add_generation_prompt=False)
        if not (asked.startswith(text) and answered.startswith(asked)):
            raise ModelError(
                "the tokenizer's chat template rewrites earlier turns, so that answers cannot be told apart",
                hint="give prompt and completion columns, which are joined without a template",
            )
        pieces += [(asked[len(text) :], False), (answered[len(asked) :], True)]
        text = answered
    return pieces


def _render(tokenizer: Any, turns: Sequence[Mapping[str, str]], *, add_generation_prompt: bool) -> str:
    if not turns:
        return ""
    try:
        text: str = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # a template is a program of its own, with errors of its own
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            f"the tokenizer's chat template refuses a conversation: {first[:200]}",
            hint="give the roles in the order that it wants",
        ) from error
    return text

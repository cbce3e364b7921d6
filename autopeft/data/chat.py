"""Instructions and conversations: every form that people keep them in becomes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from autopeft.errors import DataError

ChatRole = Literal["system", "user", "assistant", "tool"]

# ShareGPT's names, and those of its relatives; OpenAI's newer name for system.
_ROLES: Mapping[str, ChatRole] = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
    "function": "tool",
    "developer": "system",
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_HINT = 'write [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    Attributes:
        role: who speaks.
        content: what is said.
    """

    role: ChatRole
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row to learn answers from.

    Attributes:
        messages: in order; the last is an assistant's.
        plain: whether the texts are joined as they are, without a chat template: then there is one user message,
            the prompt, and one assistant message, the completion.
        cut: messages behind the last answer, which teach nothing and are not among `messages`.
    """

    messages: tuple[Message, ...]
    plain: bool = False
    cut: int = 0


def conversation_of(value: Any, place: str) -> Conversation | None:
    """From a list of OpenAI messages or ShareGPT turns; None where nothing is answered.

    Raises:
        DataError: not such a list, an unknown role, or content that is no text.
    """
    return _ended([] if value is None else _messages(value, place))


def conversation_from(
    prompt: Any, completion: Any, system: Any, extra: Any, place: str, *, plain: bool
) -> Conversation | None:
    """From an instruction and its answer; None where either is missing.

    Args:
        prompt: the instruction or prompt; or a list of messages.
        completion: the answer; or a list of messages.
        system: the system message, or None.
        extra: what the instruction works on (Alpaca's `input`), or None.
        place: of the row, for messages.
        plain: whether the texts are complete as they are.

    Raises:
        DataError: a cell is no text.
    """
    if isinstance(prompt, list | tuple) or isinstance(completion, list | tuple):
        turns = [_messages(part, place) for part in (prompt, completion) if part is not None]
        return _ended(_system(system, place) + [turn for part in turns for turn in part])
    asked, answered = asked_from(prompt, system, extra, place), _text(completion, place)
    if not asked or not answered.strip():
        return None
    alone = asked == (Message("user", _text(prompt, place)),)
    return Conversation((*asked, Message("assistant", answered)), plain=plain and alone)


def asked_from(prompt: Any, system: Any, extra: Any, place: str) -> tuple[Message, ...]:
    """What is asked by an instruction, a prompt or a list of messages; nothing where it is missing.

    Args:
        prompt: and the others: as `conversation_from` takes them.
        system: likewise.
        extra: likewise.
        place: of the row, for messages.

    Raises:
        DataError: a cell is no text.
    """
    if isinstance(prompt, list | tuple):
        return (*_system(system, place), *asked_of(prompt, place))
    asked = _text(prompt, place)
    if not asked.strip():
        return ()
    more = _text(extra, place)
    return (*_system(system, place), Message("user", f"{asked}\n\n{more}" if more.strip() else asked))


def asked_of(value: Any, place: str) -> tuple[Message, ...]:
    """The messages that are still to be answered: all, but for the last where the assistant says it.

    Raises:
        DataError: as `conversation_of`.
    """
    messages = tuple([] if value is None else _messages(value, place))
    return messages[:-1] if messages and messages[-1].role == "assistant" else messages


def _ended(messages: list[Message]) -> Conversation | None:
    answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
    if not answers:
        return None
    end = answers[-1] + 1
    return Conversation(tuple(messages[:end]), cut=len(messages) - end)


def _system(value: Any, place: str) -> list[Message]:
    text = _text(value, place)
    return [Message("system", text)] if text.strip() else []


def _messages(value: Any, place: str) -> list[Message]:
    if not isinstance(value, list | tuple):
        raise DataError(f"{place}: the messages are a {type(value).__name__}, not a list", hint=_HINT)
    return [_message(turn, f"{place} message {number}") for number, turn in enumerate(value, 1)]


def _message(turn: Any, place: str) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"{place}: a {type(turn).__name__}, not a role and a content", hint=_HINT)
    said_by = turn.get("role") if turn.get("role") is not None else turn.get("from")
    role = _ROLES.get(str(said_by).strip().lower())
    if role is None:
        known = ", ".join(get_args(ChatRole))
        raise DataError(f"{place}: the role {str(said_by)[:40]!r} is unknown", hint=f"roles are {known}; {_HINT}")
    if turn.get("tool_calls"):
        raise DataError(f"{place}: tool calls are not supported", hint="write the call out as the content")
    content = turn.get("content") if turn.get("content") is not None else turn.get("value")
    return Message(role, _content(content, place))


def _content(value: Any, place: str) -> str:
    """Text, or OpenAI's list of parts, all of which must be text."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return _text(value, place)
    if any(not isinstance(part, Mapping) or not isinstance(part.get("text"), str) for part in value):
        raise DataError(f"{place}: a part of the content is no text", hint="leave pictures and sounds out")
    return "".join(part["text"] for part in value)


def _text(value: Any, place: str) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise DataError(f"{place}: a {type(value).__name__} where a text should be", hint=_HINT)

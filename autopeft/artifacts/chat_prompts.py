"""Instructions and conversations of a file as the texts that a model writes its answers after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autopeft.data.cells import parsed
from autopeft.data.chat import Message, asked_from, asked_of
from autopeft.data.encode_chat import prompt_text
from autopeft.data.roles import MESSAGES, reads_plain


@dataclass(frozen=True, slots=True)
class AskedChat:
    """How a row of a file is read: as messages, or as an instruction with what belongs to it.

    Attributes:
        columns: role -> column; the role is `messages`, or `prompt` and perhaps `system` and `input`.
        tokenizer: of the base; its chat template is used where it has one.
        plain: whether prompts are complete as they are.
    """

    columns: Mapping[str, str]
    tokenizer: Any
    plain: bool

    @classmethod
    def of(
        cls, columns: Mapping[str, str], tokenizer: Any, trained: Mapping[str, str], first: Mapping[str, Any]
    ) -> "AskedChat":
        """For a file whose rows are like its first one: prompts that are lists of messages are never complete.

        Args:
            columns: and `tokenizer`: as the attributes.
            tokenizer: likewise.
            trained: role -> column of the data that was trained on.
            first: cells of the first row.
        """
        listed = "prompt" in columns and isinstance(first.get(columns["prompt"]), list)
        return cls(columns, tokenizer, plain=reads_plain(trained) and not listed)

    @property
    def special_tokens(self) -> bool:
        """Whether the tokenizer adds the tokens that begin a text; a chat template writes them itself."""
        return self.plain or self.tokenizer.chat_template is None

    def __call__(self, cells: Mapping[str, Any]) -> dict[str, str] | None:
        """The prompt; None where nothing is asked.

        Raises:
            DataError: a cell holds something else.
            ModelError: the chat template refuses the conversation.
        """
        asked = self._messages(cells)
        return {"source": prompt_text(asked, self.tokenizer, plain=self.plain)} if asked else None

    def _messages(self, cells: Mapping[str, Any]) -> tuple[Message, ...]:
        role = MESSAGES if MESSAGES in self.columns else "prompt"
        place = f"column {self.columns[role]!r}"
        if role == MESSAGES:
            return asked_of(parsed(cells.get(self.columns[role])), place)
        given = {part: cells.get(column) for part, column in self.columns.items()}
        prompt, system, extra = (given.get(part) for part in ("prompt", "system", "input"))
        return asked_from(prompt, system, extra, place)

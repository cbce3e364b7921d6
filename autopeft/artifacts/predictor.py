"""A model that answers rows of text: encoded as in training, in batches of like length, in the rows' own order."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from peft import PeftModel
from torch import Tensor, nn

from autopeft.artifacts.answers import Answer, Answerer
from autopeft.data.batches import evaluation_batches
from autopeft.data.encoder import padding_id
from autopeft.data.task_data import Ragged

Texts = Mapping[str, str]
T = TypeVar("T")
# Rows that are encoded and sorted by length together: enough to find some of like length, a few MB of numbers.
WINDOW_ROWS = 4096


class Predictor:
    """Answers rows, a window of them at a time.

    Args:
        model: adapted, in evaluation mode; its device is where batches go.
        tokenizer: of the base.
        answerer: what asks the model.
        max_length: tokens of a row that the model reads; a classifier's row is cut at its end, a prompt at its
            beginning.
        batch_size: rows in a forward pass.
        continues: whether the model writes on after the row, as a decoder does.
        closing: a text at the end of each row that it continues, which tells it to answer.
        special_tokens: whether the tokenizer adds those that begin and end a text.

    Raises:
        ModelError: the tokenizer cannot pad.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        answerer: Answerer,
        max_length: int,
        batch_size: int,
        *,
        continues: bool = False,
        closing: str = "",
        special_tokens: bool = True,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._answerer = answerer
        self._max_length = max_length
        self._batch_size = batch_size
        self._continues = continues
        self._pad_id = padding_id(tokenizer)
        self._closing = tokenizer(closing, add_special_tokens=False)["input_ids"] if closing else []
        self._device = next(model.parameters()).device
        self._special_tokens = special_tokens
        self._takes_types = takes_types(model)

    def answers(self, rows: Iterable[Texts | None]) -> Iterator[Answer]:
        """One answer a row, in order.

        Args:
            rows: role -> text, or None for a row without text; read a window ahead of the answers, never all at once.
        """
        for window in windows(rows, WINDOW_ROWS):
            asked = [row for row in window if row is not None]
            found = iter(self._window(asked) if asked else ())
            yield from (self.blank if row is None else next(found) for row in window)

    @property
    def blank(self) -> Answer:
        """The answer to a row without text."""
        return self._answerer.blank

    @torch.inference_mode()
    def _window(self, rows: Sequence[Texts]) -> list[Answer]:
        encoded = self._encoded(rows)
        ids = Ragged.of(encoded["input_ids"])
        answers: dict[int, Answer] = {}
        for chosen in evaluation_batches(ids.lengths, self._batch_size):
            places = chosen.tolist()
            batch = self._batch({name: [column[place] for place in places] for name, column in encoded.items()})
            answers |= dict(zip(places, self._answerer(self._model, batch), strict=True))
        return [answers[place] for place in range(len(rows))]

    def _encoded(self, rows: Sequence[Texts]) -> dict[str, list[list[int]]]:
        """`input_ids` and, where the model takes them and they say something, `token_type_ids`."""
        columns = [[row[role] for row in rows] for role in rows[0]]
        cut = {} if self._continues else {"truncation": True, "max_length": self._max_length}
        told = self._tokenizer(
            *columns,
            padding=False,
            verbose=False,
            return_attention_mask=False,
            add_special_tokens=self._special_tokens,
            **cut,
        )
        encoded = {"input_ids": [self._prompt(row) for row in told["input_ids"]]}
        types = told.get("token_type_ids") if self._takes_types else None
        if types is not None and any(map(any, types)):
            encoded["token_type_ids"] = types
        return encoded

    def _prompt(self, row: list[int]) -> list[int]:
        """A row that is not empty; of a prompt the last tokens, and no end of text after it."""
        if not self._continues:
            return row or [self._pad_id]
        if row and row[-1] == self._tokenizer.eos_token_id:
            row = row[:-1]
        return (row + self._closing)[-self._max_length :] or [self._pad_id]

    def _batch(self, columns: Mapping[str, list[list[int]]]) -> dict[str, Tensor]:
        """Tensors padded to the longest row: on the right, but in front of a prompt that is written on."""
        width = max(map(len, columns["input_ids"]))
        fills = {"input_ids": self._pad_id, "token_type_ids": 0}
        batch = {name: self._padded(rows, fills[name], width) for name, rows in columns.items()}
        batch["attention_mask"] = self._padded([[1] * len(row) for row in columns["input_ids"]], 0, width)
        return batch

    def _padded(self, rows: list[list[int]], fill: int, width: int) -> Tensor:
        padding = [[fill] * (width - len(row)) for row in rows]
        pairs = zip(padding, rows, strict=True) if self._continues else zip(rows, padding, strict=True)
        return torch.tensor([first + second for first, second in pairs], device=self._device)


def takes_types(model: nn.Module) -> bool:
    """Whether the model's forward takes `token_type_ids`."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    return "token_type_ids" in inspect.signature(inner.forward).parameters


def windows(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of `size`, the last one shorter."""
    remaining = iter(rows)
    while window := list(islice(remaining, size)):
        yield window

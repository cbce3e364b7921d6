"""A model that tags the words of rows: every word gets its tag, also in a row that is longer than the model reads.

Shapes: B pieces of rows, L tokens of the longest, C tags.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from autopeft.artifacts.answers import PREDICTION, Answer
from autopeft.artifacts.input_texts import texts_of
from autopeft.artifacts.predictor import WINDOW_ROWS, windows
from autopeft.data.batches import evaluation_batches
from autopeft.data.cells import read_cell
from autopeft.data.encode_tags import whole_words
from autopeft.data.encoder import Encoder
from autopeft.data.task_data import Ragged
from autopeft.data.words import spans_of, split_words

# A word that begins a piece may take one token more than within a row: some tokenizers mark a text's beginning.
_SPARE_TOKENS = 1


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of a row.

    Attributes:
        words: at least one.
        places: first character of each in the row's text, and the first behind it; None where the row came as words.
    """

    words: Sequence[str]
    places: Sequence[tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class AskedWords:
    """How a row of a file is read: as a list of words, or as a text that is split into words as in training.

    Attributes:
        columns: role -> column; the role is `tokens` or `text`.
    """

    columns: Mapping[str, str]

    def __call__(self, cells: Mapping[str, Any]) -> Sentence | None:
        """The row's words, or None where it has none.

        Raises:
            DataError: a cell holds something else.
        """
        if "tokens" in self.columns:
            words = read_cell("tokens", cells.get(self.columns["tokens"]), place=f"column {self.columns['tokens']!r}")
            return Sentence(words) if words else None
        texts = texts_of(cells, self.columns)
        return None if texts is None else Sentence(*split_words(texts["text"]))


class WordTagger:
    """Tags rows, a window of them at a time: a list of tags where a row came as words, else the spans in its text.

    Args:
        model: adapted, in evaluation mode; its device is where batches go.
        encoder: of the base.
        labels: tags in the order of their numbers.
        max_length: tokens that the model reads at once; a longer row is read in pieces of whole words.
        batch_size: pieces in a forward pass.

    Raises:
        ModelError: the tokenizer does not tell which word a token belongs to.
    """

    def __init__(
        self, model: nn.Module, encoder: Encoder, labels: Sequence[str], max_length: int, batch_size: int
    ) -> None:
        encoder.require_words()
        self._model = model
        self._encoder = encoder
        self._labels = tuple(labels)
        self._max_length = max_length
        self._batch_size = batch_size
        self._device = next(model.parameters()).device
        self.blank: Answer = {PREDICTION: None}

    def answers(self, rows: Iterable[Sentence | None]) -> Iterator[Answer]:
        """One answer a row, in order.

        Args:
            rows: read a window ahead of the answers, never all at once; None for a row without words.
        """
        for window in windows(rows, WINDOW_ROWS):
            asked = [row for row in window if row is not None]
            tags = iter(self._tags([row.words for row in asked]) if asked else ())
            yield from (self.blank if row is None else _answer(row, next(tags)) for row in window)

    @torch.inference_mode()
    def _tags(self, rows: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of every row's words."""
        owners, words = self._pieces(rows)
        encoded = whole_words(self._encoder, words)
        ids = Ragged.of([row[: self._max_length] for row in encoded["input_ids"]])
        found: dict[int, list[str]] = {}
        for chosen in evaluation_batches(ids.lengths, self._batch_size):
            best = self._likeliest([ids[piece] for piece in chosen])
            for piece, numbers in zip(chosen.tolist(), best, strict=True):
                found[piece] = [self._labels[numbers[first]] for first in _first_tokens(encoded.word_ids(piece))]
        tags: list[list[str]] = [[] for _ in rows]
        for piece, owner in enumerate(owners):
            tags[owner] += found[piece]
        return tags

    def _pieces(self, rows: Sequence[Sequence[str]]) -> tuple[list[int], list[list[str]]]:
        """Every row's words in lists that fit the model, and which row each list is of."""
        encoded = whole_words(self._encoder, [list(words) for words in rows])
        owners, pieces = [], []
        for row, words in enumerate(rows):
            for begin, end in pairwise([*_begins(encoded.word_ids(row), self._max_length), len(words)]):
                owners.append(row)
                pieces.append(list(words[begin:end]))
        return owners, pieces

    def _likeliest(self, rows: Sequence[Any]) -> list[list[int]]:
        """The number of the likeliest tag at every token, (B, L); what stands at padding means nothing."""
        parts = [torch.tensor(row, dtype=torch.long) for row in rows]
        ids = pad_sequence(parts, batch_first=True, padding_value=self._encoder.filler)
        kept = torch.arange(ids.shape[1]) < torch.tensor([len(part) for part in parts])[:, None]
        logits: Tensor = self._model(input_ids=ids.to(self._device), attention_mask=kept.long().to(self._device)).logits
        numbers: list[list[int]] = logits[..., : len(self._labels)].argmax(-1).tolist()
        return numbers


def _begins(word_ids: Sequence[int | None], max_length: int) -> list[int]:
    """The words (from 0) with which a row's pieces begin: one piece where the row fits."""
    if len(word_ids) <= max_length:
        return [0]
    sizes = Counter(word for word in word_ids if word is not None)
    room = max_length - word_ids.count(None) - _SPARE_TOKENS
    begins, used = [0], 0
    for word in sorted(sizes):
        if used and used + sizes[word] > room:
            begins.append(word)
            used = 0
        used += sizes[word]
    return begins


def _first_tokens(word_ids: Sequence[int | None]) -> list[int]:
    """Where each word's first token stands, in the order of the words."""
    first: dict[int, int] = {}
    for place, word in enumerate(word_ids):
        if word is not None:
            first.setdefault(word, place)
    return [first[word] for word in sorted(first)]


def _answer(row: Sentence, tags: list[str]) -> Answer:
    if row.places is None:
        return {PREDICTION: tags}
    return {PREDICTION: [asdict(span) for span in spans_of(tags, row.places)]}

"""A model that finds answers in texts, also in a text that is longer than it reads: then in overlapping pieces."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autopeft.artifacts.answers import PREDICTION, Answer
from autopeft.artifacts.predictor import WINDOW_ROWS, takes_types, windows
from autopeft.data.batches import collate, evaluation_batches
from autopeft.data.encode_spans import NOWHERE, context_places, cut_question, text_between
from autopeft.data.encoder import Encoder
from autopeft.data.task_data import EncodedSplit, Ragged
from autopeft.training.answers import likeliest_span

START = "prediction_start"
Texts = Mapping[str, str]
# Tokens that two pieces of a text share, so that an answer is whole in one of them: this part of the length.
_SHARED_PART = 4
# Beside question and context, at most; the shared part must be smaller than what is left for the context.
_SPECIAL_TOKENS = 4


class SpanFinder:
    """Answers rows with the likeliest stretch of the context and its first character, from 0.

    The answer is empty, without a place, where "no answer" is likelier, as in the figures of the run.

    Args:
        model: adapted, in evaluation mode; its device is where batches go.
        encoder: of the base.
        max_length: tokens of question and context that the model reads at once.
        batch_size: pieces in a forward pass.

    Raises:
        ModelError: the tokenizer does not tell which characters a token covers.
    """

    def __init__(self, model: nn.Module, encoder: Encoder, max_length: int, batch_size: int) -> None:
        encoder.require_words()
        self.blank: Answer = {PREDICTION: None, START: None}
        self._model = model
        self._encoder = encoder
        self._max_length = max_length
        self._batch_size = batch_size
        self._device = next(model.parameters()).device
        self._takes_types = takes_types(model)

    def answers(self, rows: Iterable[Texts | None]) -> Iterator[Answer]:
        """One answer a row, in order.

        Args:
            rows: `question` and `context`, or None for a row without; read a window ahead of the answers.
        """
        for window in windows(rows, WINDOW_ROWS):
            asked = [row for row in window if row is not None]
            found = iter(self._found(asked) if asked else ())
            yield from (self.blank if row is None else next(found) for row in window)

    @torch.inference_mode()
    def _found(self, rows: Sequence[Texts]) -> list[Answer]:
        encoded = self._pieces(rows)
        owners: Sequence[int] = encoded["overflow_to_sample_mapping"]
        places = [context_places(encoded, piece) for piece in range(len(owners))]
        types = encoded.get("token_type_ids") if self._takes_types else None
        split = EncodedSplit(Ragged.of(encoded["input_ids"]), None if types is None else Ragged.of(types))
        best: dict[int, _Found] = {}
        for chosen in evaluation_batches(split.lengths, self._batch_size):
            for piece, scores in zip(chosen.tolist(), self._scores(split, chosen), strict=True):
                found = _Found.of(scores, places[piece])
                best[owners[piece]] = found.joined(best.get(owners[piece]))
        return [best[row].answer(texts["context"]) for row, texts in enumerate(rows)]

    def _pieces(self, rows: Sequence[Texts]) -> Any:
        """Every question with each piece of its context; a short text is one piece, the same as in training."""
        questions = [cut_question(row["question"], self._encoder, self._max_length) for row in rows]
        return self._encoder.tokenizer(
            questions,
            [row["context"] for row in rows],
            truncation="only_second",
            max_length=self._max_length,
            stride=max(0, self._max_length // _SHARED_PART - _SPECIAL_TOKENS),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )

    def _scores(self, split: EncodedSplit, pieces: Sequence[int] | np.ndarray[Any, Any]) -> Tensor:
        """Of every token to begin and to end the answer; (pieces, L, 2)."""
        batch = collate(split, pieces, self._encoder.filler)
        told = self._model(**{name: t.to(self._device) for name, t in batch.items() if name != "labels"})
        length = batch["input_ids"].shape[1]
        return torch.stack([told.start_logits, told.end_logits], dim=-1).float()[:, -length:].cpu()


@dataclass(frozen=True, slots=True)
class _Found:
    """The likeliest stretch of one or several pieces, by its characters, and the score of there being none."""

    score: float
    none: float
    start: int
    end: int

    @classmethod
    def of(cls, scores: Tensor, places: Sequence[tuple[int, int]]) -> "_Found":
        """From the scores of a piece, (L, 2), and the characters that its tokens cover."""
        inside = np.asarray([start != NOWHERE for start, _ in places])
        first, last, score = likeliest_span(scores, inside)
        none = float(scores[0].sum())
        return cls(score, none, places[first][0], places[last][1])

    def joined(self, other: "_Found | None") -> "_Found":
        """With another piece of the same text: its answer is the better one, and none where no piece has any."""
        if other is None:
            return self
        better = max(self, other, key=lambda one: one.score)
        return _Found(better.score, min(self.none, other.none), better.start, better.end)

    def answer(self, context: str) -> Answer:
        """The stretch without outer spaces, or the empty answer."""
        if self.score <= self.none:
            return {PREDICTION: "", START: None}
        text = text_between(context, (self.start, self.end), 0, 0)
        return {PREDICTION: text, START: context.index(text, self.start) if text else None}

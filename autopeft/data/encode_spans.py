"""Questions about a text, answered by a stretch of it; without an answer the first token stands for none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data.cells import Answer
from autopeft.data.encoder import Encoder, Texts, length_from
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.references import as_bytes
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData

# A question takes at most this share of a row, so that some of the text is always seen.
_QUESTION_SHARE = 2
_CONTEXT = 1
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class _Encoded:
    split: EncodedSplit
    cut_answers: int
    lost_answers: int


def encode_spans(data: TaskData, splits: Mapping[str, Rows], encoder: Encoder, max_length: int | None) -> TaskData:
    """Question and context, and where the first of the right answers lies.

    What does not fit is cut from the context's end; an answer that lay there counts as none, as one that is not in the
    context at all does, and both are counted.

    Raises:
        ModelError: the tokenizer does not tell which characters a token covers.
    """
    encoder.require_words()
    lengths = {
        split: encoder(rows.texts["question"], rows.texts["context"]).input_ids.lengths
        for split, rows in splits.items()
    }
    most = max_length or length_from(lengths["train"], encoder.limit)
    encoded = {split: _encode(rows, encoder, most) for split, rows in splits.items()}
    cut = sum(one.cut_answers for one in encoded.values())
    lost = sum(one.lost_answers for one in encoded.values())
    notes = [f"{cut} answers lie beyond {most} tokens and count as none there"] if cut else []
    notes += [f"{lost} answers are not in their context and count as none"] if lost else []
    return replace(
        data,
        splits={split: one.split for split, one in encoded.items()},
        max_length=most,
        truncated_rows=sum(int((of_split > most).sum()) for of_split in lengths.values()),
        notes=tuple(notes),
    )


def _encode(rows: Rows, encoder: Encoder, most: int) -> _Encoded:
    ids, types, offsets, true = RaggedWriter(), RaggedWriter(), RaggedWriter(), RaggedWriter()
    positions: list[tuple[int, int]] = []
    cut_answers = lost_answers = 0
    cells = zip(rows.texts["context"], rows.values["answers"], strict=True)
    for encoded in _chunks(rows.texts["question"], rows.texts["context"], encoder, most):
        ids.add(encoded["input_ids"])
        if "token_type_ids" in encoded:
            types.add(encoded["token_type_ids"])
        for index, (context, answers) in zip(range(len(encoded["input_ids"])), cells, strict=False):
            places = context_places(encoded, index)
            offsets.add([[edge for place in places for edge in place]])
            true.add([as_bytes([context, [answer.text for answer in answers]])])
            found = located(context, answers)
            position = None if found is None else _tokens_of(places, found)
            lost_answers += found is None and bool(answers)
            cut_answers += found is not None and position is None
            positions.append(position or (0, 0))
    types_ragged = types.close()
    split = EncodedSplit(
        ids.close(),
        types_ragged if types_ragged.values.any() else None,
        positions=np.asarray(positions, dtype=np.int64).reshape(-1, 2),
        offsets=offsets.close(),
        references=true.close(),
    )
    return _Encoded(split, cut_answers, lost_answers)


def _chunks(questions: Texts, contexts: Texts, encoder: Encoder, most: int) -> Any:
    """Questions cut to their share, then pairs of which only the context is cut."""
    asked = [cut_question(question, encoder, most) for question in questions]
    return encoder.chunks(asked, contexts, truncation="only_second", max_length=most, return_offsets_mapping=True)


def cut_question(text: str, encoder: Encoder, most: int) -> str:
    """The question, cut so that half of a row of `most` tokens is left for the context."""
    places = encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    kept: list[tuple[int, int]] = places["offset_mapping"][: most // _QUESTION_SHARE]
    return text[: kept[-1][1]] if kept else text


def context_places(encoded: Any, index: int) -> list[tuple[int, int]]:
    """For every token the characters of the context that it covers, or (-1, -1)."""
    sides: Sequence[int | None] = encoded.sequence_ids(index)
    places = encoded["offset_mapping"][index]
    return [
        tuple(place) if side == _CONTEXT and place[1] > place[0] else (NOWHERE, NOWHERE)
        for side, place in zip(sides, places, strict=True)
    ]


def located(context: str, answers: Sequence[Answer]) -> tuple[int, int] | None:
    """The characters of the first answer that the context has, begin and end; None where it has none of them.

    An answer that is not where it says, or that says nothing, is searched for.
    """
    for answer in answers:
        text, start = answer.text, answer.start
        if not (start >= 0 and context[start : start + len(text)] == text):
            start = context.find(text)
            if start < 0:
                start, text = context.lower().find(text.strip().lower()), text.strip()
        if start >= 0:
            return start, start + len(text)
    return None


def _tokens_of(places: Sequence[tuple[int, int]], found: tuple[int, int]) -> tuple[int, int] | None:
    """First and last token that cover these characters; None where the row was cut before their end.

    Marks that the tokenizer drops, such as accents, are in no token, also where the answer begins or ends with one.
    """
    start, end = found
    covering = [token for token, (first, last) in enumerate(places) if first < end and last > start]
    if not covering:
        return None
    cut = places[covering[-1]][1] < end and all(first < end for first, _ in places)
    return None if cut else (covering[0], covering[-1])


def text_between(context: str, places: Sequence[int] | npt.NDArray[np.int32], first: int, last: int) -> str:
    """The text of an answer by its first and last token; empty where either is no token of the context.

    Args:
        context: the whole text.
        places: begin and end of every token's characters by turns, as `EncodedSplit.offsets` has them.
        first: token, from 0.
        last: token.
    """
    start, end = int(places[2 * first]), int(places[2 * last + 1])
    # The tokens of some tokenizers begin with the space before the word.
    return context[start:end].strip() if 0 <= start < end else ""


def context_tokens(offsets: Ragged, row: int) -> np.ndarray[Any, Any]:
    """Which tokens of a row stand for a part of its context; (tokens,) bool."""
    return np.asarray(offsets[row][::2] != NOWHERE)

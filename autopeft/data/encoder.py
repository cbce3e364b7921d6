"""A tokenizer over columns of texts: chunk by chunk into flat arrays, with lengths chosen from the data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autopeft.data.column import Column
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.task_data import Ragged
from autopeft.errors import ModelError

# Fits 99 of 100 training rows: the rest are cut rather than letting a few outliers set every cost.
LENGTH_PERCENTILE = 99
_LENGTH_MULTIPLE = 8
_CHUNK_ROWS = 2000
# transformers' stand-in for "no limit known" is 1e30.
_UNLIMITED = 10**9

Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """One split's input as tokens.

    Attributes:
        input_ids: of every row.
        token_type_ids: where the tokenizer gives them.
    """

    input_ids: Ragged
    token_type_ids: Ragged | None = None


@dataclass(frozen=True, slots=True)
class Encoder:
    """A tokenizer and what decides its output beside the texts.

    Attributes:
        tokenizer: of transformers.
        limit: tokens that a row may have.
        filler: the padding token's id; stands for a row without any token.
    """

    tokenizer: Any
    limit: int
    filler: int

    @classmethod
    def of(cls, tokenizer: Any, model_limit: int | None) -> "Encoder":
        """From a tokenizer and the positions that the model has.

        Raises:
            ModelError: the tokenizer has neither a padding nor an end token.
        """
        limit = int(min(tokenizer.model_max_length, model_limit or _UNLIMITED, _UNLIMITED))
        return cls(tokenizer, limit, padding_id(tokenizer))

    def __call__(self, texts: Texts, pairs: Texts | None = None, **options: Any) -> Inputs:
        """Tokens of every row; no row is empty."""
        ids, types = RaggedWriter(), RaggedWriter()
        typed = True
        for encoded in self.chunks(texts, pairs, **options):
            rows = [row or [self.filler] for row in encoded["input_ids"]]
            ids.add(rows)
            typed = typed and "token_type_ids" in encoded
            if typed:
                types.add(own or [0] for own in encoded["token_type_ids"])
        return Inputs(ids.close(), types.close() if typed and len(texts) else None)

    def chunks(self, texts: Sequence[Any], pairs: Texts | None = None, **options: Any) -> Iterator[Any]:
        """What the tokenizer says of some rows at a time: a thousand or two, fewer where they are long."""
        asked = {"truncation": False, "padding": False, "verbose": False} | options
        columns = [column for column in (texts, pairs) if isinstance(column, Column)]
        step = min((column.chunk_rows for column in columns), default=_CHUNK_ROWS)
        for at in range(0, len(texts), step):
            part = slice(at, at + step)
            second = [] if pairs is None else [list(pairs[part])]
            yield self.tokenizer(list(texts[part]), *second, **asked)

    def plain(self, text: str) -> list[int]:
        """A text's tokens without any special ones."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    @property
    def end(self) -> list[int]:
        """The token that ends a text, if the tokenizer has one."""
        end = self.tokenizer.eos_token_id
        return [] if end is None else [int(end)]

    def require_words(self) -> None:
        """See that tokens can be traced back to words and characters.

        Raises:
            ModelError: the tokenizer is one of the slow ones, which do not say.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError(
                f"{type(self.tokenizer).__name__} does not say which characters a token stands for",
                hint="put a tokenizer.json beside the weights, which a fast tokenizer reads",
            )


def encode_inputs(
    sides: Mapping[str, tuple[Texts, Texts | None]], encoder: Encoder, max_length: int | None
) -> tuple[dict[str, Inputs], int, dict[str, npt.NDArray[np.bool_]]]:
    """Every split's texts or pairs of texts, cut to one greatest length.

    Args:
        sides: split -> texts, and the second texts of pairs.
        encoder: the tokenizer.
        max_length: tokens; by default from the training rows.

    Returns:
        The inputs, the greatest length, and which sequences of each split were cut.
    """
    encoded = {split: encoder(texts, pairs) for split, (texts, pairs) in sides.items()}
    most = max_length or length_from(encoded["train"].input_ids.lengths, encoder.limit)
    cut: dict[str, npt.NDArray[np.bool_]] = {}
    for split, (texts, pairs) in sides.items():
        cut[split] = encoded[split].input_ids.lengths > most
        encoded[split] = _shortened(encoded[split], texts, pairs, encoder, most)
    return encoded, most, cut


def _shortened(inputs: Inputs, texts: Texts, pairs: Texts | None, encoder: Encoder, most: int) -> Inputs:
    """Rows that are longer than `most` encoded again, cut by the tokenizer so that special tokens stay."""
    long = [int(row) for row in np.flatnonzero(inputs.input_ids.lengths > most)]
    if not long:
        return inputs
    second = None if pairs is None else [pairs[row] for row in long]
    short = encoder([texts[row] for row in long], second, truncation=True, max_length=most)
    ids = {row: short.input_ids[place].tolist() for place, row in enumerate(long)}
    types = inputs.token_type_ids
    if types is not None and short.token_type_ids is not None:
        types = types.replaced({row: short.token_type_ids[place].tolist() for place, row in enumerate(long)})
    return Inputs(inputs.input_ids.replaced(ids), types)


def length_from(lengths: npt.NDArray[np.int64], limit: int) -> int:
    """The 99th percentile of the lengths, rounded up to a multiple of eight, within the limit."""
    wanted = float(np.percentile(lengths, LENGTH_PERCENTILE))
    return min(limit, int(-(-wanted // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE))


def padding_id(tokenizer: Any) -> int:
    """The padding token's id; a tokenizer without one takes its end token (or unknown token) for it.

    Raises:
        ModelError: it has none of them.
    """
    if tokenizer.pad_token_id is None:
        stand_in = tokenizer.eos_token or tokenizer.unk_token
        if stand_in is None:
            raise ModelError(
                "the tokenizer has neither a padding nor an end token",
                hint="set pad_token in tokenizer_config.json",
            )
        tokenizer.pad_token = stand_in
    return int(tokenizer.pad_token_id)

"""Plain text for a language model: documents in a row, cut into blocks of one length."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from autopeft.data.encoder import Encoder
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData
from autopeft.errors import DataError

CAUSAL_BLOCK_TOKENS = 256


def encode_text(data: TaskData, splits: Mapping[str, Rows], encoder: Encoder, max_length: int | None) -> TaskData:
    """Each document closed by the end token, and the whole cut into blocks; the last may be shorter.

    Raises:
        DataError: too few tokens.
    """
    block = max_length or min(encoder.limit, CAUSAL_BLOCK_TOKENS)
    done = {}
    for split, rows in splits.items():
        done[split] = _blocks(encoder, rows, block)
        if not len(done[split]):
            raise DataError(f"the texts of the {split} split give no two tokens", hint="give more text")
    return replace(data, splits=done, max_length=block)


def _blocks(encoder: Encoder, rows: Rows, block: int) -> EncodedSplit:
    texts = rows.texts["text"]
    documents = encoder(texts).input_ids
    flat, share = _closed(documents, encoder.end, np.asarray([len(text.encode()) for text in texts]))
    whole = len(flat) // block * block
    # One token alone predicts nothing.
    stop = len(flat) if len(flat) - whole >= 2 else whole
    offsets = np.append(np.arange(0, stop, block), stop).astype(np.int64)
    if stop == 0:
        return EncodedSplit(Ragged(flat[:0], np.zeros(1, dtype=np.int64)))
    # The first token of a block is read and not predicted, so its bytes do not count.
    predicted = share[:stop].copy()
    predicted[offsets[:-1]] = 0
    return EncodedSplit(Ragged(flat[:stop], offsets), row_bytes=np.add.reduceat(predicted, offsets[:-1]))


def _closed(documents: Ragged, end: list[int], sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All tokens with an end behind each document, and the share of its document's bytes that each stands for."""
    lengths = documents.lengths
    last = documents.values[documents.offsets[1:] - 1]
    needs = np.zeros(len(lengths), dtype=bool) if not end else last != end[0]
    places = documents.offsets[1:][needs]
    flat = np.insert(documents.values, places, end[0] if end else 0).astype(np.int32)
    share = np.insert(np.repeat(sizes / lengths, lengths), places, 0.0)
    return flat, share

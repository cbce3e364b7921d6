"""Rows of words with a tag each: the first piece of a word carries its tag, the others carry none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from autopeft.data.batches import IGNORED
from autopeft.data.encoder import Encoder, length_from
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData
from autopeft.data.words import OUTSIDE, tagged

# A held-out tag that no training row has: it is no class to learn, but a word that is got wrong.
UNSEEN = -101
_CHUNK_ROWS = 1000
Words = Sequence[str]


def encode_tags(data: TaskData, splits: Mapping[str, Rows], encoder: Encoder, max_length: int | None) -> TaskData:
    """Words and tags, or a text and spans.

    Raises:
        ModelError: the tokenizer does not tell which word a token belongs to.
    """
    encoder.require_words()
    # Of a finished run they are tags already, whatever the rows that it is measured on look like.
    known = "tags" in splits["train"].values or OUTSIDE in data.label_names
    names = data.label_names if known else span_tags(data.label_names)
    number_of = {name: number for number, name in enumerate(names)}
    encoded = {split: _encode(rows, encoder, number_of) for split, rows in splits.items()}
    most = max_length or length_from(encoded["train"][0].lengths, encoder.limit)
    done: dict[str, EncodedSplit] = {}
    truncated = 0
    for split, (ids, labels) in encoded.items():
        truncated += int((ids.lengths > most).sum())
        ids, labels = _shortened(ids, labels, most, encoder)
        done[split] = EncodedSplit(ids, token_labels=labels)
    misfits = sum(_misfits(rows) for rows in splits.values())
    notes = (f"{misfits} spans do not begin and end where words do, or overlap: widened or left out",)
    return replace(
        data,
        splits=done,
        label_names=names,
        max_length=most,
        truncated_rows=truncated,
        notes=notes if misfits else (),
    )


def span_tags(labels: Sequence[str]) -> tuple[str, ...]:
    """The tags by which spans with these labels are written."""
    return (OUTSIDE, *(f"{place}-{label}" for label in labels for place in ("B", "I")))


def words_and_tags(rows: Rows) -> Iterator[tuple[Words, Words]]:
    """The words and tags of every row, however they came."""
    if "tags" in rows.values:
        yield from zip(rows.values["tokens"], rows.values["tags"], strict=True)
        return
    for text, spans in zip(rows.texts["text"], rows.values["spans"], strict=True):
        found = tagged(text, spans)
        yield found.words or (text,), found.tags or (OUTSIDE,)


def _misfits(rows: Rows) -> int:
    if "spans" not in rows.values:
        return 0
    return sum(
        tagged(text, spans).misfits for text, spans in zip(rows.texts["text"], rows.values["spans"], strict=True)
    )


def _encode(rows: Rows, encoder: Encoder, number_of: Mapping[str, int]) -> tuple[Ragged, Ragged]:
    """Tokens, and for each the number of its tag, or -100 where it carries none."""
    ids, labels = RaggedWriter(), RaggedWriter()
    pairs = list(words_and_tags(rows))
    for at in range(0, len(pairs), _CHUNK_ROWS):
        part = pairs[at : at + _CHUNK_ROWS]
        encoded = whole_words(encoder, [list(words) for words, _ in part])
        ids.add(encoded["input_ids"])
        labels.add(
            _token_labels(encoded.word_ids(index), [number_of.get(tag, UNSEEN) for tag in tags])
            for index, (_, tags) in enumerate(part)
        )
    return ids.close(), labels.close()


def whole_words(encoder: Encoder, words: list[list[str]]) -> Any:
    """The rows' tokens, where each word has at least one: what the tokenizer drops becomes the unknown token.

    Args:
        encoder: whose tokenizer tells which word a token belongs to.
        words: of each row; a word that is dropped is replaced in place.
    """
    encoded = encoder.tokenizer(words, is_split_into_words=True, truncation=False, verbose=False)
    stand_in = encoder.tokenizer.unk_token or "?"
    lost = [
        (row, word) for row, listed in enumerate(words) for word in set(range(len(listed))) - set(encoded.word_ids(row))
    ]
    if not lost:
        return encoded
    for row, word in lost:
        words[row][word] = stand_in
    return encoder.tokenizer(words, is_split_into_words=True, truncation=False, verbose=False)


def _token_labels(word_ids: Sequence[int | None], tags: Sequence[int]) -> list[int]:
    labels, before = [], None
    for word in word_ids:
        labels.append(IGNORED if word is None or word == before else tags[word])
        before = word
    return labels


def _shortened(ids: Ragged, labels: Ragged, most: int, encoder: Encoder) -> tuple[Ragged, Ragged]:
    """Every row's first tokens; where a row ended in a special token, that stays its last one."""
    cut_ids, cut_labels = ids.cut_to(most), labels.cut_to(most)
    special = set(encoder.tokenizer.all_special_ids)
    long = [row for row in (ids.lengths > most).nonzero()[0].tolist() if int(ids[row][-1]) in special]
    new_ids = {row: [*cut_ids[row][:-1].tolist(), int(ids[row][-1])] for row in long}
    new_labels = {row: [*cut_labels[row][:-1].tolist(), IGNORED] for row in long}
    return cut_ids.replaced(new_ids), cut_labels.replaced(new_labels)

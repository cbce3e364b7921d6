"""Rows that are answered by writing: a source and a target, for an encoder-decoder or a decoder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from autopeft.data.batches import IGNORED
from autopeft.data.encoder import Encoder, encode_inputs, length_from
from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.references import references
from autopeft.data.rows import Rows
from autopeft.data.task_data import EncodedSplit, Ragged, TaskData
from autopeft.data.templates import PromptForm, sources, targets
from autopeft.domain.tasks import TaskSpec

Splits = Mapping[str, Rows]


def encode_source_and_target(
    data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None, task: TaskSpec
) -> TaskData:
    """For an encoder-decoder: two rows of tokens, each cut to a length of its own."""
    written = {split: targets(task, rows) for split, rows in splits.items()}
    form = PromptForm.of(task, splits["train"].texts)
    asked, most, cut = encode_inputs(
        {s: (sources(form, rows), None) for s, rows in splits.items()}, encoder, max_length
    )
    answers, most_written, cut_answers = encode_inputs(
        {s: (texts, None) for s, texts in written.items()}, encoder, None
    )
    return replace(
        data,
        splits={
            split: EncodedSplit(
                asked[split].input_ids,
                targets=answers[split].input_ids,
                references=references(text.strip() for text in written[split]),
            )
            for split in splits
        },
        max_length=most,
        max_target_length=most_written,
        truncated_rows=sum(int((cut[split] | cut_answers[split]).sum()) for split in splits),
    )


def encode_prompt_and_answer(
    data: TaskData, splits: Splits, encoder: Encoder, max_length: int | None, task: TaskSpec
) -> TaskData:
    """For a decoder: source, closing and target as one row, of which the target alone is learned."""
    written = {split: targets(task, rows) for split, rows in splits.items()}
    form = PromptForm.of(task, splits["train"].texts)
    closing = encoder.plain(form.closing)
    prompts = {split: prompt_tokens(sources(form, rows), closing, encoder) for split, rows in splits.items()}
    answers = {split: _answer_tokens(texts, encoder) for split, texts in written.items()}
    whole = prompts["train"].lengths + answers["train"].lengths
    most = max_length or length_from(whole, encoder.limit)
    # The answer is what is learned: where a row is too long, the prompt gives way, down to half of the row.
    most_written = min(length_from(answers["train"].lengths, encoder.limit), max(1, most // 2))
    return replace(
        data,
        splits={
            split: replace(
                join(prompts[split], answers[split].cut_to(most_written), most, len(closing)),
                references=references(text.strip() for text in written[split]),
            )
            for split in splits
        },
        max_length=most,
        max_target_length=most_written,
        truncated_rows=sum(_too_long(prompts[s], answers[s], most, most_written) for s in splits),
    )


def prompt_tokens(texts: Sequence[str], closing: list[int], encoder: Encoder) -> Ragged:
    """What a decoder reads: the text as the tokenizer begins one, without an end, and the closing's tokens."""
    tokens = encoder(texts).input_ids
    end = encoder.end
    writer = RaggedWriter()
    for row in range(len(tokens)):
        own = tokens[row].tolist()
        writer.add([(own[:-1] if own[-1:] == end else own) + closing])
    return writer.close()


def _answer_tokens(texts: Sequence[str], encoder: Encoder) -> Ragged:
    tokens = encoder(texts, add_special_tokens=False).input_ids
    writer = RaggedWriter()
    for row in range(len(tokens)):
        writer.add([tokens[row].tolist() + encoder.end])
    return writer.close()


def join(prompts: Ragged, answers: Ragged, most: int, closing: int) -> EncodedSplit:
    """Prompt and answer as one row; a prompt that is too long loses tokens before its `closing` last ones."""
    ids, labels = RaggedWriter(), RaggedWriter()
    for row in range(len(prompts)):
        prompt, answer = prompts[row].tolist(), answers[row].tolist()
        room = max(most - len(answer), closing)
        if len(prompt) > room:
            prompt = prompt[: room - closing] + prompt[len(prompt) - closing :]
        ids.add([prompt + answer])
        labels.add([[IGNORED] * len(prompt) + answer])
    return EncodedSplit(ids.close(), token_labels=labels.close())


def _too_long(prompts: Ragged, answers: Ragged, most: int, most_written: int) -> int:
    written = answers.lengths
    return int(np.sum((written > most_written) | (prompts.lengths + np.minimum(written, most_written) > most)))

"""Answers that need no model: what is commonest, what the input offers to copy. Whatever was learned must beat them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from autopeft.data.encode_inputs import asked_texts, choice_number, row_choices
from autopeft.data.encode_tags import words_and_tags
from autopeft.data.rows import Rows
from autopeft.data.templates import targets
from autopeft.data.text_metrics import final_number
from autopeft.data.words import OUTSIDE
from autopeft.domain.tasks import Objective, TaskSpec

# The lead of a news article, which summaries are held against (See et al. 2017, arXiv:1704.04368, section 5).
LEAD_SENTENCES = 3
_SENTENCE = re.compile(r"[^.!?]+(?:[.!?]+|$)")
_WORD = re.compile(r"\w+")
Splits = Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class Guess:
    """A way to answer without a model.

    Attributes:
        name: for people.
        note: how it answers.
        answers: split -> one answer a row.
    """

    name: str
    note: str
    answers: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Guesses:
    """All guesses at a task, and the true answers in the form that the metrics take.

    Attributes:
        true: split -> one answer a row.
        guesses: the ways to guess.
    """

    true: Mapping[str, Sequence[Any]]
    guesses: tuple[Guess, ...]


def guesses(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses | None:
    """The guesses at a task that has any; None for language models, whose answers are not single ones.

    Args:
        task: what is answered.
        splits: rows; what is commonest is counted in `train`.
        names: labels of a task with several labels a row.
    """
    make = _MAKERS.get(task.objective)
    return None if make is None else make(task, splits, names)


def _numbers(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    true = {split: [float(value) for value in rows.values["label"]] for split, rows in splits.items()}
    mean, median = float(np.mean(true["train"])), float(np.median(true["train"]))
    return Guesses(
        true,
        (
            _constant("mean", f"always {mean:g}, the mean of the training rows", mean, true),
            _constant("median", f"always {median:g}, the median of the training rows", median, true),
        ),
    )


def _label_sets(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    true = {split: [_places(given, names) for given in rows.values["labels"]] for split, rows in splits.items()}
    shares = np.asarray(true["train"]).mean(axis=0)
    often = tuple(int(share >= 0.5) for share in shares)
    # Where no label is in half of the rows, that would be no label at all.
    commonest = often if any(often) else tuple(int(place == int(shares.argmax())) for place in range(len(names)))
    return Guesses(true, (_constant("commonest labels", "always the labels of most training rows", commonest, true),))


def _places(given: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(name in given) for name in names)


def _choices(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    offered = {split: row_choices(rows) for split, rows in splits.items()}
    count = len(offered["train"][0])
    true = {split: [choice_number(label, count) for label in rows.labels or ()] for split, rows in splits.items()}
    overlap = {
        split: [_most_shared(asked, row) for asked, row in zip(asked_texts(splits[split]), rows, strict=True)]
        for split, rows in offered.items()
    }
    return Guesses(
        true,
        (
            _constant("majority class", "always the place that is right most often in training", _top(true), true),
            Guess("shared words", "the choice that shares most words with the text", overlap),
        ),
    )


def _tags(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    pairs = {split: list(words_and_tags(rows)) for split, rows in splits.items()}
    seen: dict[str, Counter[str]] = {}
    for words, tags in pairs["train"]:
        for word, tag in zip(words, tags, strict=True):
            seen.setdefault(word.lower(), Counter())[tag] += 1
    usual = {word: counted.most_common(1)[0][0] for word, counted in seen.items()}
    known = {
        split: [[usual.get(word.lower(), OUTSIDE) for word in words] for words, _ in rows]
        for split, rows in pairs.items()
    }
    nothing = {split: [[OUTSIDE] * len(words) for words, _ in rows] for split, rows in pairs.items()}
    return Guesses(
        {split: [list(tags) for _, tags in rows] for split, rows in pairs.items()},
        (
            Guess("no entity", f"every word is {OUTSIDE}", nothing),
            Guess("usual tag of the word", "the tag that the word has most often in training", known),
        ),
    )


def _spans(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    true, shared = {}, {}
    for split, rows in splits.items():
        true[split] = [tuple(answer.text for answer in found) or ("",) for found in rows.values["answers"]]
        texts = zip(rows.texts["question"], rows.texts["context"], strict=True)
        shared[split] = [_best_sentence(question, context) for question, context in texts]
    best = Guess(
        "sentence that shares most words", "the whole sentence that shares most words with the question", shared
    )
    if not any(answers == ("",) for answers in true["train"]):
        return Guesses(true, (best,))
    return Guesses(true, (_constant("no answer", "every question is left without an answer", "", true), best))


def _texts(task: TaskSpec, splits: Splits, names: Sequence[str]) -> Guesses:
    true = {split: [text.strip() for text in targets(task, rows)] for split, rows in splits.items()}
    if not task.columns.keys() >= {"target"}:
        return Guesses(true, (_constant("majority class", "always the commonest label", _top(true), true),))
    asked = {split: rows.texts["source"] for split, rows in splits.items()}
    if task.metric == "numeric_match":
        last = {split: [str(final_number(text) or "") for text in texts] for split, texts in asked.items()}
        usual = Counter(str(final_number(text)) for text in true["train"]).most_common(1)[0][0]
        return Guesses(
            true,
            (
                _constant("commonest number", f"always {usual}, the commonest in training", usual, true),
                Guess("last number of the question", "copied from the question", last),
            ),
        )
    lead = {split: [_lead(text) for text in texts] for split, texts in asked.items()}
    return Guesses(
        true,
        (
            Guess("copy", "the source as it is", {split: list(texts) for split, texts in asked.items()}),
            Guess(f"lead {LEAD_SENTENCES}", f"the first {LEAD_SENTENCES} sentences of the source", lead),
        ),
    )


def _constant(name: str, note: str, answer: Any, true: Mapping[str, Sequence[Any]]) -> Guess:
    return Guess(name, note, {split: [answer] * len(rows) for split, rows in true.items()})


def _top(true: Mapping[str, Sequence[Any]]) -> Any:
    """The commonest training answer, the first of equals."""
    counted = Counter(true["train"])
    return min(counted, key=lambda answer: (-counted[answer], str(answer)))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _most_shared(text: str, offered: Sequence[str]) -> int:
    shares = [len(_words(text) & _words(one)) / max(1, len(_words(one))) for one in offered]
    return shares.index(max(shares))


def _sentences(text: str) -> Iterable[str]:
    return (found.group().strip() for found in _SENTENCE.finditer(text))


def _best_sentence(question: str, context: str) -> str:
    asked = _words(question)
    return max(chain(_sentences(context), [""]), key=lambda sentence: len(asked & _words(sentence)))


def _lead(text: str) -> str:
    return " ".join([sentence for sentence, _ in zip(_sentences(text), range(LEAD_SENTENCES), strict=False)])


_MAKERS: dict[Objective, Callable[[TaskSpec, Splits, Sequence[str]], Guesses]] = {
    "regression": _numbers,
    "multi-label": _label_sets,
    "choice": _choices,
    "tagging": _tags,
    "span": _spans,
    "generation": _texts,
}

"""Metrics of written answers. A true answer is a text, or a tuple of texts of which each is right."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

Reference = str | tuple[str, ...]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")
# Before the final number of a GSM8K solution.
_FINAL = "####"


def normalised(text: str) -> str:
    """As SQuAD's own script: lower case, without punctuation, articles and extra space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(label: Reference, prediction: str) -> float:
    """1 where the normalised answer is one of the right ones, else 0."""
    return float(normalised(prediction) in {normalised(text) for text in _all(label)})


def squad_f1(label: Reference, prediction: str) -> float:
    """F1 of the words shared with the right answer that fits best; of two empty answers 1, of one 0."""
    return max(_shared_words(normalised(text).split(), normalised(prediction).split()) for text in _all(label))


def rouge1(label: Reference, prediction: str) -> float:
    """ROUGE-1, F measure of stemmed words; rouge-score's."""
    return _rouge("rouge1", label, prediction)


def rouge2(label: Reference, prediction: str) -> float:
    """ROUGE-2, F measure of pairs of stemmed words; rouge-score's."""
    return _rouge("rouge2", label, prediction)


def rouge_l(label: Reference, prediction: str) -> float:
    """ROUGE-L, F measure of the longest common subsequence over the whole text; rouge-score's."""
    return _rouge("rougeL", label, prediction)


def bleu(labels: Sequence[Reference], predictions: Sequence[str]) -> float:
    """BLEU of all rows together, 0 to 100, with sacrebleu's own tokenisation (13a)."""
    from sacrebleu.metrics.bleu import BLEU

    return float(BLEU().corpus_score(list(predictions), _columns(labels)).score)


def chrf(labels: Sequence[Reference], predictions: Sequence[str]) -> float:
    """chrF2 of all rows together, 0 to 100; sacrebleu's."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(predictions), _columns(labels)).score)


def numeric_match(label: Reference, prediction: str) -> float:
    """1 where the final number is that of a right answer, else 0; without any number 0."""
    found = final_number(prediction)
    return float(found is not None and found in {final_number(text) for text in _all(label)})


def final_number(text: str) -> Decimal | None:
    """The number after the last "####", or else the last number of the text; None where there is none."""
    tail = text.rpartition(_FINAL)[2]
    numbers = _NUMBER.findall(tail)
    if not numbers:
        return None
    try:
        return Decimal((numbers[0] if _FINAL in text else numbers[-1]).replace(",", ""))
    except InvalidOperation:
        return None


def _all(label: Reference) -> tuple[str, ...]:
    return (label,) if isinstance(label, str) else label


def _shared_words(true: list[str], predicted: list[str]) -> float:
    if not true or not predicted:
        return float(true == predicted)
    shared = sum((Counter(true) & Counter(predicted)).values())
    return 2 * shared / (len(true) + len(predicted))


def _rouge(name: str, label: Reference, prediction: str) -> float:
    scorer = _scorer(name)
    return max(float(scorer(text, prediction)[name].fmeasure) for text in _all(label))


@cache
def _scorer(name: str) -> Callable[[str, str], Any]:
    from rouge_score.rouge_scorer import RougeScorer

    score: Callable[[str, str], Any] = RougeScorer([name], use_stemmer=True).score
    return score


def _columns(labels: Sequence[Reference]) -> Any:
    """One list for each place among the right answers, as sacrebleu takes them; None where a row has fewer."""
    rows = [_all(label) for label in labels]
    most = max((len(row) for row in rows), default=1)
    return [[row[place] if place < len(row) else None for row in rows] for place in range(most)]

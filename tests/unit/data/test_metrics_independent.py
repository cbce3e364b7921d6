"""Every metric against a computation of its definition by other means, on random answers."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from nltk.stem.porter import PorterStemmer
from scipy import stats

from autopeft.data.metrics import ROW_SCORES, SCORES, bits_per_byte, perplexity, score
from autopeft.domain.metrics import METRICS

WORDS = ["cat", "dogs", "running", "the", "a", "sat", "mats", "on", "12", "nation", "it", "ran"]
Case = tuple[list[Any], list[Any]]


def classes(generator: np.random.Generator) -> Case:
    rows, kinds = int(generator.integers(2, 40)), int(generator.integers(2, 5))
    true = generator.integers(0, kinds, rows)
    noise = generator.integers(0, kinds, rows)
    return true.tolist(), np.where(generator.random(rows) < 0.5, true, noise).tolist()


def numbers(generator: np.random.Generator) -> Case:
    rows = int(generator.integers(3, 40))
    true = np.round(generator.normal(size=rows), 1)  # rounded, so that there are ties
    true[0] += 3.0
    told = np.round(true * generator.normal() + generator.normal(size=rows), 1)
    told[1] += 3.0
    return true.tolist(), told.tolist()


def label_sets(generator: np.random.Generator) -> Case:
    rows, labels = int(generator.integers(2, 20)), int(generator.integers(2, 5))
    true = generator.random((rows, labels)) < 0.4
    told = true ^ (generator.random((rows, labels)) < 0.2)
    return [tuple(map(int, row)) for row in true], [tuple(map(int, row)) for row in told]


def tags(generator: np.random.Generator) -> Case:
    kinds = ["O", "O", "B-X", "I-X", "B-Y", "I-Y"]

    def row(count: int) -> list[str]:
        return [kinds[i] for i in generator.integers(0, len(kinds), count)]

    sizes = generator.integers(1, 12, int(generator.integers(1, 8)))
    true = [row(int(size)) for size in sizes]
    told = [[a if generator.random() < 0.6 else b for a, b in zip(line, row(len(line)), strict=True)] for line in true]
    return true, told


def sentence(generator: np.random.Generator, least: int = 4) -> str:
    return " ".join(WORDS[i] for i in generator.integers(0, len(WORDS), int(generator.integers(least, 14))))


def texts(generator: np.random.Generator) -> Case:
    true = [sentence(generator) for _ in range(int(generator.integers(1, 5)))]
    told = []
    for text in true:
        words = text.split()
        start = int(generator.integers(0, len(words)))
        told.append(" ".join(words[:start] + sentence(generator, 0).split()) or "cat")
    return true, told


# --- definitions -------------------------------------------------------------------------------------------------


def counts(true: list[int], told: list[int], kind: int) -> tuple[int, int, int]:
    pairs = Counter(zip((t == kind for t in true), (p == kind for p in told), strict=True))
    return pairs[True, True], pairs[False, True], pairs[True, False]


def f1(right: int, wrong: int, missed: int) -> float:
    return 2 * right / (2 * right + wrong + missed) if right + wrong + missed else 0.0


def macro(true: list[Any], told: list[Any]) -> float:
    if isinstance(true[0], tuple):
        places = range(len(true[0]))
        return sum(f1(*counts([t[i] for t in true], [p[i] for p in told], 1)) for i in places) / len(true[0])
    kinds = {*true, *told}
    return sum(f1(*counts(true, told, kind)) for kind in kinds) / len(kinds)


def micro(true: list[Any], told: list[Any]) -> float:
    if not isinstance(true[0], tuple):
        return sum(t == p for t, p in zip(true, told, strict=True)) / len(true)
    flat = [[value for row in side for value in row] for side in (true, told)]
    return f1(*counts(flat[0], flat[1], 1))


def balanced(true: list[int], told: list[int]) -> float:
    recalls = []
    for kind in set(true):
        right, _, missed = counts(true, told, kind)
        recalls.append(right / (right + missed))
    return sum(recalls) / len(recalls)


def matthews(true: list[int], told: list[int]) -> float:
    """Gorodkin's R_K: the correlation of the two indicator matrices."""
    kinds = sorted({*true, *told})
    x, y = (np.array([[value == kind for kind in kinds] for value in side], dtype=float) for side in (true, told))
    x, y = x - x.mean(0), y - y.mean(0)
    scale = math.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale else 0.0


def entities(row: list[str]) -> set[tuple[str, int, int]]:
    """As conlleval reads tags: B begins, I goes on with the same type or begins."""
    found, start = set(), 0
    for at, tag in enumerate([*row, "O"]):
        before = row[at - 1] if at else "O"
        if before != "O" and not (tag[0] == "I" and tag[2:] == before[2:]):
            found.add((before[2:], start, at))
        if tag != "O" and not (tag[0] == "I" and before != "O" and before[2:] == tag[2:]):
            start = at
    return found


def entity_f1(true: list[list[str]], told: list[list[str]]) -> float:
    pairs = [(entities(a), entities(b)) for a, b in zip(true, told, strict=True)]
    right = sum(len(a & b) for a, b in pairs)
    return f1(right, sum(len(b) for _, b in pairs) - right, sum(len(a) for a, _ in pairs) - right)


def grams(words: list[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def stems(text: str) -> list[str]:
    stemmer = PorterStemmer()
    return [stemmer.stem(word) if len(word) > 3 else word for word in re.findall("[a-z0-9]+", text.lower())]


def rouge_n(size: int) -> Callable[[str, str], float]:
    def value(true: str, told: str) -> float:
        a, b = grams(stems(true), size), grams(stems(told), size)
        shared = (a & b).total()
        return 2 * shared / (a.total() + b.total()) if shared else 0.0

    return value


def rouge_l(true: str, told: str) -> float:
    a, b = stems(true), stems(told)
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
    return 2 * table[-1][-1] / (len(a) + len(b)) if table[-1][-1] else 0.0


def bleu(true: list[str], told: list[str]) -> float:
    """Papineni et al. 2002 over the corpus; an order without a match counts half, a quarter, ... of one match."""
    logs, halving = 0.0, 1.0
    lengths = [sum(len(text.split()) for text in side) for side in (true, told)]
    for size in range(1, 5):
        pairs = [(grams(a.split(), size), grams(b.split(), size)) for a, b in zip(true, told, strict=True)]
        shared, total = sum((a & b).total() for a, b in pairs), sum(b.total() for _, b in pairs)
        if total == 0:
            return 0.0
        if shared == 0:
            halving *= 2
        logs += math.log((shared or 1 / halving) / total)
    if grams_shared(true, told) == 0:
        return 0.0
    penalty = min(1.0, math.exp(1 - lengths[0] / lengths[1]))
    return 100 * penalty * math.exp(logs / 4)


def grams_shared(true: list[str], told: list[str]) -> int:
    return sum((grams(a.split(), 1) & grams(b.split(), 1)).total() for a, b in zip(true, told, strict=True))


def chrf(true: list[str], told: list[str]) -> float:
    """Popović 2015: character n-grams up to 6 without spaces, recall weighing twice."""
    precisions, recalls = [], []
    for size in range(1, 7):
        pairs = [
            (grams(list(a.replace(" ", "")), size), grams(list(b.replace(" ", "")), size))
            for a, b in zip(true, told, strict=True)
        ]
        # What a row says in an order that its true text is too short for does not count.
        shared = sum((a & b).total() for a, b in pairs)
        there, said = sum(a.total() for a, _ in pairs), sum(b.total() for a, b in pairs if a)
        if there and said:
            precisions.append(shared / said)
            recalls.append(shared / there)
    precision, recall = (sum(side) / len(side) for side in (precisions, recalls))
    return 100 * 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


def squad_words(text: str) -> list[str]:
    kept = "".join(sign for sign in text.lower() if sign not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return [word for word in kept.split() if word not in ("a", "an", "the")]


def squad_f1(true: str, told: str) -> float:
    a, b = squad_words(true), squad_words(told)
    shared = sum(min(a.count(word), b.count(word)) for word in set(a))
    if not a or not b:
        return float(a == b)
    return 2 * shared / (len(a) + len(b))


def last_number(text: str) -> str | None:
    return next((word for word in reversed(text.split()) if word.isdigit()), None)


def mean_of(value: Callable[[Any, Any], float]) -> Callable[[list[Any], list[Any]], float]:
    return lambda true, told: sum(map(value, true, told)) / len(true)


DEFINITIONS: dict[str, list[tuple[Callable[[np.random.Generator], Case], Callable[[Any, Any], float]]]] = {
    "accuracy": [(make, mean_of(lambda t, p: float(t == p))) for make in (classes, label_sets, texts)],
    "balanced_accuracy": [(classes, balanced)],
    "f1": [(classes, lambda true, told: f1(*counts(true, told, 1)))],
    "macro_f1": [(classes, macro), (label_sets, macro), (texts, macro)],
    "micro_f1": [(classes, micro), (label_sets, micro)],
    "matthews": [(classes, matthews)],
    "pearson": [(numbers, lambda true, told: stats.pearsonr(true, told).statistic)],
    "spearman": [(numbers, lambda true, told: stats.spearmanr(true, told).statistic)],
    "mse": [(numbers, mean_of(lambda t, p: (t - p) ** 2))],
    "mae": [(numbers, mean_of(lambda t, p: abs(t - p)))],
    "entity_f1": [(tags, entity_f1)],
    "token_accuracy": [(tags, lambda true, told: float(np.mean(np.concatenate(true) == np.concatenate(told))))],
    "exact_match": [(texts, mean_of(lambda t, p: float(squad_words(t) == squad_words(p))))],
    "squad_f1": [(texts, mean_of(squad_f1))],
    "rouge1": [(texts, mean_of(rouge_n(1)))],
    "rouge2": [(texts, mean_of(rouge_n(2)))],
    "rouge_l": [(texts, mean_of(rouge_l))],
    "bleu": [(texts, bleu)],
    "chrf": [(texts, chrf)],
    "numeric_match": [
        (texts, mean_of(lambda t, p: float(last_number(p) is not None and last_number(t) == last_number(p))))
    ],
}


def cases(make: Callable[[np.random.Generator], Case], count: int) -> Iterator[Case]:
    for seed in range(count):
        yield make(np.random.default_rng(seed))


def test_every_metric_of_answers_has_a_definition_here() -> None:
    assert DEFINITIONS.keys() == SCORES.keys() | ROW_SCORES.keys()
    assert DEFINITIONS.keys() == {name for name, spec in METRICS.items() if not spec.of_losses}


@pytest.mark.parametrize("count", [25, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("metric", DEFINITIONS)
def test_a_metric_is_what_its_definition_says(metric: str, count: int) -> None:
    for make, definition in DEFINITIONS[metric]:
        for true, told in cases(make, count):
            assert score(metric, true, told) == pytest.approx(definition(true, told), abs=1e-9)


def test_perplexity_and_bits_per_byte_are_those_of_a_uniform_guess() -> None:
    # A model that thinks each of 512 tokens equally likely, over 30 tokens that stand for 90 bytes.
    loss = math.log(512)
    assert perplexity(loss) == pytest.approx(512)
    assert bits_per_byte(30 * loss, 90) == pytest.approx(30 * 9 / 90)


@pytest.mark.parametrize(
    ("label", "answer", "value"),
    [
        ("12/4 = 3\n#### 1,072", "I count 3 times 1,072.", 1.0),
        ("#### -5", "#### -5", 1.0),
        ("#### 5", "#### 5.0 apples of 7", 1.0),
        ("#### 5", "no number at all", 0.0),
        ("#### 5", "", 0.0),
    ],
)
def test_the_final_number_of_an_answer_decides(label: str, answer: str, value: float) -> None:
    assert score("numeric_match", [label], [answer]) == value


def test_any_of_several_right_answers_counts_and_silence_is_right_where_there_is_none() -> None:
    assert score("squad_f1", [("the cat", "a dog"), ("",)], ["dog", ""]) == 1.0
    assert score("exact_match", [("",), ("",)], ["a", "dog"]) == 0.5  # an article alone is no answer

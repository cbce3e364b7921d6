"""Metrics of predicted tags: one list of tags a row, such as `["O", "B-PER", "I-PER"]`."""

from collections.abc import Sequence

Tags = Sequence[Sequence[str]]


def entity_f1(labels: Tags, predictions: Tags) -> float:
    """F1 over whole entities of all rows, 0 to 1, as seqeval's default scheme counts them."""
    from seqeval.metrics import f1_score

    return float(f1_score(_lists(labels), _lists(predictions), zero_division=0))


def token_accuracy(labels: Tags, predictions: Tags) -> float:
    """Share of words with the right tag, 0 to 1."""
    pairs = [pair for row in zip(labels, predictions, strict=True) for pair in zip(*row, strict=True)]
    return sum(true == predicted for true, predicted in pairs) / max(1, len(pairs))


def _lists(rows: Tags) -> list[list[str]]:
    return [list(row) for row in rows]

"""Reasons as numbered footnotes under a table: one for each rule and each table of measurements."""

import math
from collections.abc import Mapping, Sequence

from autopeft.domain.evidence import Evidence
from autopeft.domain.recommendation import Candidate
from autopeft.domain.rules import Reason
from autopeft.recommend.ranking import TERMS

# Measurements that move a score by less are left to --explain.
_WORTH_A_NOTE = 0.1


class Footnotes:
    """The reasons of some candidates, numbered in the order of the table.

    Args:
        candidates: that are shown, in order.
        evidence: tables of published measurements; their reasons share one footnote each.

    Attributes:
        texts: the footnotes; the first is number 1.
    """

    def __init__(self, candidates: Sequence[Candidate], evidence: Mapping[str, Evidence]) -> None:
        self._evidence = evidence
        self._numbers: dict[str, int] = {}
        self.texts: list[str] = []
        for candidate in candidates:
            for reason, _ in self._summed(candidate):
                if reason.rule not in self._numbers:
                    self._numbers[reason.rule] = len(self._numbers) + 1
                    self.texts.append(self._text(reason))

    def marks(self, candidate: Candidate) -> str:
        """The numbers of a candidate's reasons, each with its sign."""
        summed = [(self._numbers.get(reason.rule), points) for reason, points in self._summed(candidate)]
        return " ".join(f"{_sign(points)}{number}" for number, points in summed if number is not None)

    def _summed(self, candidate: Candidate) -> list[tuple[Reason, float]]:
        """One reason for each rule and table, with all its points; terms of the ranking have columns instead."""
        by_rule: dict[str, list[Reason]] = {}
        for reason in candidate.reasons:
            if reason.rule not in TERMS:
                by_rule.setdefault(reason.rule, []).append(reason)
        found = [(reasons[0], math.fsum(one.score for one in reasons)) for reasons in by_rule.values()]
        return [
            (reason, points)
            for reason, points in found
            if reason.rule not in self._evidence or abs(points) >= _WORTH_A_NOTE
        ]

    def _text(self, reason: Reason) -> str:
        table = self._evidence.get(reason.rule)
        return cited(reason) if table is None else f"{table.title}. [{reason.rule}: {reason.source}]"


def cited(reason: Reason) -> str:
    """The reason with its source, where it has one beside the ranking itself."""
    return reason.text if reason.rule in TERMS else f"{reason.text} [{reason.rule}: {reason.source}]"


def _sign(points: float) -> str:
    return "+" if points > 0 else "-" if points < 0 else "*"

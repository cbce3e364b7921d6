"""The facts of why a method was tried: the recommender's reasons, each with its rule and source."""

from dataclasses import dataclass

from autopeft.reporting.reading import Record, number, records, text


@dataclass(frozen=True, slots=True)
class Cited:
    """One reason.

    Attributes:
        rule: id, as `autopeft explain` takes it; empty where there is none.
        text: for people.
        source: where the claim comes from; empty where none is recorded.
        score: points that it moved the method by; above 0 speaks for it.
    """

    rule: str
    text: str
    source: str
    score: float | None


@dataclass(frozen=True, slots=True)
class MethodReasons:
    """Why a method stood where it stood before anything was tried."""

    method: str
    title: str
    reasons: tuple[Cited, ...]

    @property
    def moving(self) -> tuple[Cited, ...]:
        """Those that moved it by a tenth of a point or more, the strongest first."""
        strong = [reason for reason in self.reasons if reason.score is not None and abs(reason.score) >= 0.05]
        return tuple(sorted(strong, key=lambda reason: -abs(reason.score or 0.0)))


def read_reasons(result: Record) -> tuple[MethodReasons, ...]:
    """By method, in the recommender's order; methods about which nothing is known are kept, without reasons."""
    return tuple(
        MethodReasons(
            method=text(entry, "method") or "unknown",
            title=text(entry, "title") or text(entry, "method") or "unknown",
            reasons=tuple(_cited(reason) for reason in records(entry, "reasons")),
        )
        for entry in records(result, "why")
    )


def _cited(reason: Record) -> Cited:
    return Cited(
        rule=text(reason, "rule") or "",
        text=text(reason, "text") or "no text recorded",
        source=text(reason, "source") or "",
        score=number(reason, "score"),
    )

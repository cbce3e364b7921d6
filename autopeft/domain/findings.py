"""A finding of the literature, as the rules start from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry of `search_spaces/evidence/findings/survey.yaml`.

    Attributes:
        id: such as `P01`; rules and tables of measurements name it in their `findings`.
        condition: the situation it speaks of.
        effect: what was found.
        source: where, in words.
        section: the place in the source.
        status: VERIFIED (seen in the source), RECALLED (general knowledge, no source at hand) or DERIVED.
        seen_in: of a verified finding: primary, author_code, author_log or secondary.
        confidence: of a recalled finding, above 0 and below 1.
        note: what limits it.
        left_out: why neither a rule nor a table holds it; empty where one does.
    """

    id: str
    condition: str
    effect: str
    source: str
    section: str
    status: str
    seen_in: str = ""
    confidence: float | None = None
    note: str = ""
    left_out: str = ""

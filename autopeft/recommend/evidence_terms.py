"""An expectation taken apart into reasons, each with its points."""

from typing import Final

from autopeft.domain.evidence import Evidence
from autopeft.domain.rules import Reason
from autopeft.recommend.engine import source_text
from autopeft.recommend.quality import Expectation, Sighting

# Points for a doubling of the odds of a right answer.
POINTS: Final = 2.0
_FITTED: Final = "fitted to the published runs near"
_CONVENTION: Final = "convention of the ranking"


def evidence_terms(expectation: Expectation, caution: float) -> tuple[Reason, ...]:
    """The terms of the score that published measurements give; they sum to `POINTS * (mean - caution * sd)`.

    Args:
        expectation: of one method.
        caution: how many standard deviations count against it.
    """
    found = [_measured(sighting, share) for sighting, share in expectation.parts]
    if expectation.capacity:
        text = "It trains fewer weights than LoRA, which cost quality in the published runs near."
        found.append(Reason("capacity", text, _FITTED, POINTS * expectation.capacity))
    if expectation.rate:
        text = "The one learning rate that will be tried is not its own."
        found.append(Reason("learning-rate", text, _CONVENTION, POINTS * expectation.rate))
    found.append(Reason("uncertainty", _known(expectation), _CONVENTION, -POINTS * caution * expectation.sd))
    return tuple(found)


def _known(expectation: Expectation) -> str:
    count = len({(one.table.id, one.comparison.title) for one, _ in expectation.parts})
    if expectation.basis == "unknown":
        return "Unknown: nobody measured it near this situation."
    whose = "its variants" if expectation.basis == "variant" else "it"
    return f"Published measurements of {whose}: {count}, of which some may lie far from this situation."


def _measured(sighting: Sighting, share: float) -> Reason:
    one = sighting.measurement
    if sighting.reference is None:
        figures = f"{one.method}: placed by an order"
    elif one.method == "lora" and one.value == sighting.reference:
        figures = f"LoRA {one.value:.3g} {sighting.comparison.metric}, the reference"
    else:
        failed = ", a failed run" if one.value == 0 else ""
        figures = f"{one.method} {one.value:.3g} against LoRA's {sighting.reference:.3g} {sighting.comparison.metric}"
        figures += failed
    return Reason(
        sighting.table.id, f"{figures} ({sighting.comparison.title}).", _source(sighting.table), POINTS * share
    )


def _source(table: Evidence) -> str:
    recalled = "" if table.status == "verified" else "prior, not checked against the source: "
    return recalled + source_text(table.source)

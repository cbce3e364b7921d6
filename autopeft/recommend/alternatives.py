"""What to consider beside the ranking: full fine-tuning, the head alone."""

from collections.abc import Sequence
from typing import Final

from autopeft.domain.recommendation import Candidate, Exclusion
from autopeft.domain.rules import Reason
from autopeft.recommend.options import Options

# "High data" of arXiv:2304.14999, where full fine-tuning was the most effective (rule E02).
MANY_ROWS: Final = 10_000
FULL: Final = "full"
HEAD: Final = "head-only"


def consider(candidates: Sequence[Candidate], excluded: Sequence[Exclusion], options: Options) -> tuple[Reason, ...]:
    """The advice that follows from what fits and from the data; often none.

    Args:
        candidates: that fit.
        excluded: that do not, or cannot be used.
        options: what was asked.
    """
    fitting = {one.method for one in candidates}
    advice = []
    if FULL in fitting and (options.training_rows or 0) >= MANY_ROWS:
        text = f"Full fine-tuning fits, and {options.training_rows:,} rows are many: measure it beside the adapters."
        advice.append(Reason("E02", text, "arXiv:2304.14999, high-data experiments (summary)"))
    over_budget = [one for one in excluded if one.estimate is not None]
    if over_budget and HEAD in fitting and fitting <= {FULL, HEAD}:
        text = "No adapter fits: train the head only, or take a smaller base model."
        advice.append(Reason("memory", text, "predicted by tracing one training step"))
    return tuple(advice)

"""`recommend --explain`: every score, term by term."""

import math
from collections.abc import Iterable

from autopeft.cli.tables import Output, print_heading, print_table
from autopeft.domain.recommendation import Candidate

# Terms that move nothing at two decimals are summed up in one line.
_SHOWN = 0.005


def show_scores(candidates: Iterable[Candidate], output: Output) -> None:
    """Print what each score is made of; the terms sum to it."""
    print_heading("Scores taken apart", output)
    rows: list[tuple[str, ...]] = []
    for one in candidates:
        rows.append((one.method, f"{one.score:+.2f}", "", f"± {one.uncertainty:.2f}, {one.basis}"))
        ordered = sorted(one.reasons, key=lambda reason: -abs(reason.score))
        moving = [reason for reason in ordered if abs(reason.score) >= _SHOWN]
        rows += [("", f"{reason.score:+.2f}", reason.rule, reason.text) for reason in moving]
        rest = [reason for reason in ordered if abs(reason.score) < _SHOWN]
        if rest:
            small = math.fsum(reason.score for reason in rest)
            names = ", ".join(dict.fromkeys(reason.rule for reason in rest))
            rows.append(("", f"{round(small, 2) + 0.0:+.2f}", "the rest", names))
    print_table(("method", "points", "from", "because"), rows, output, numbers=("points",))

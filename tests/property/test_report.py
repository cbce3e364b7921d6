"""A report is rendered whatever stands in result.json: what cannot be read is unknown, never a traceback."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from autopeft.reporting.leaderboard import render_leaderboard
from autopeft.reporting.markdown import render_markdown
from autopeft.reporting.model_card import model_card

FULL = json.loads((Path(__file__).parents[1] / "golden" / "report.result.json").read_text(encoding="utf-8"))
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.one_of(st.integers(), st.text(max_size=5), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.floats(), st.text(max_size=5)), max_size=3),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be replaced; of a list, its first two items."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value[:2]))
    else:
        return [path]
    return ([path] if path else []) + [place for key, one in inner for place in places(one, (*path, key))]


PLACES = [place for place in places(FULL) if place != ("schema_version",)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=4))
def test_whatever_stands_in_the_result_a_report_is_rendered(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    result = copy.deepcopy(FULL)
    for path, junk in changes:
        parent = result
        for key in path[:-1]:
            known = isinstance(parent, dict) and key in parent
            parent = parent[key] if known or (isinstance(parent, list) and isinstance(key, int)) else None
            if parent is None:
                break
        if isinstance(parent, dict) or (isinstance(parent, list) and isinstance(path[-1], int) and parent):
            parent[path[-1] if isinstance(parent, dict) else 0] = junk
    report = read_report(result)
    assert render_html(report).rstrip().endswith("</html>")
    assert render_markdown(report, [], "report_files").startswith("# ")
    assert render_leaderboard(report).startswith("rank,")
    assert model_card(result).startswith("---")

"""Markdown in which text from data stays text."""

import re
from typing import Any

import pytest

from autopeft.reporting.facts import read_report
from autopeft.reporting.markdown import render_markdown
from autopeft.reporting.marks import fence, inline, span, table


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain words, 0.569 ± 0.018", "plain words, 0.569 ± 0.018"),
        ("learning_rate", "learning_rate"),
        ("_lean_ *bold*", r"\_lean\_ \*bold\*"),
        ("<b> & |", r"&lt;b&gt; &amp; \|"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("two\nlines", "two lines"),
        ("[x](y) `z`", r"\[x\](y) \`z\`"),
    ],
)
def test_inline(text: str, written: str) -> None:
    assert inline(text) == written


def test_a_fence_outlasts_the_backticks_within() -> None:
    assert fence("a\n````\nb").splitlines()[0] == "`````"


def test_a_span_that_cannot_hold_its_text_is_escaped() -> None:
    assert span("a b") == "`a b`"
    assert span("a`<b>") == r"a\`&lt;b&gt;"


def test_a_table_keeps_its_columns() -> None:
    lines = table(["a", "b"], [["x|y", "z\nw"]], right=(1,)).splitlines()
    assert lines == ["| a | b |", "| --- | ---: |", r"| x\|y | z w |"]


def test_hostile_text_opens_no_html_and_breaks_no_table(hostile: dict[str, Any]) -> None:
    written = render_markdown(read_report(hostile), [], "report_files")
    outside = re.sub(r"(`{3,})\w*\n.*?\n\1", "", written, flags=re.DOTALL)
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", outside)
    assert "<" not in outside
    assert not re.search(r"(?<!\\)\]\(javascript", outside)
    for block in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block


def test_many_labels_are_counted_and_not_all_listed(full: dict[str, Any]) -> None:
    full["data"]["labels"] = {f"intent {n}": 100 - n % 7 for n in range(77)}
    assert "And 47 more labels." in render_markdown(read_report(full), [], "report_files")

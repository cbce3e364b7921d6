"""The Markdown report and the model card of a stored result, word for word.

After a wanted change: `make golden`, then read the diff.
"""

import json
import os
from pathlib import Path

from autopeft.reporting.facts import read_report
from autopeft.reporting.markdown import render_markdown
from autopeft.reporting.model_card import model_card

HERE = Path(__file__).parent
PICTURES = (
    *("comparison.png", "curves.png", "parallel.png", "importance.png", "methods.png", "tradeoff.png"),
    *("memory.png", "time.png", "timeline.png"),
)


def compare(name: str, written: str) -> None:
    path = HERE / name
    if os.environ.get("AUTOPEFT_REWRITE_GOLDEN"):
        path.write_text(written, encoding="utf-8")
    assert written == path.read_text(encoding="utf-8")


def test_report() -> None:
    result = json.loads((HERE / "report.result.json").read_text(encoding="utf-8"))
    compare("report.md", render_markdown(read_report(result), PICTURES, "report_files"))


def test_model_card() -> None:
    result = json.loads((HERE / "report.result.json").read_text(encoding="utf-8"))
    compare("report.card.md", model_card(result))

"""The page: complete, offline, safe, and honest about what is unknown."""

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html


class Page(HTMLParser):
    """Collects elements, texts, and open tags; fails on a tag that closes another."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(result: dict[str, Any]) -> Page:
    return Page(render_html(read_report(result)))


def test_the_page_shows_what_a_reader_asks_in_that_order(full: dict[str, Any]) -> None:
    text = page(full).text
    wanted = [
        "LoRA on all linear layers won: accuracy 0.569",
        "0.569 ± 0.018",
        "Is it really better?",
        "What it costs",
        "PeftModel.from_pretrained(base",
        "Why this method was tried",
        "arXiv:2303.15647v2, section 9.2",
        "All trials",
        "Confirmation, seed by seed",
        "Learning curves",
        "Every trial at a glance",
        "Which choice mattered",
        "Score by method",
        "Loss against cost",
        "Memory, predicted and measured",
        "Where the time went",
        "What each worker did when",
        "CUDA out of memory: tried to allocate 96.00 MiB",
        "The encoder's attention takes no past key values.",
        "9b1de0c2a7f4",
        "What was asked",
        "2.13.0+cpu",
        "autopeft search --demo --budget 4m --gpu-mem 8GB --seed 0",
    ]
    place = 0
    for part in wanted:
        assert part in text[place:], part
        place = text.index(part, place)


def test_every_trial_and_every_seed_is_in_the_page(full: dict[str, Any]) -> None:
    rendered = render_html(read_report(full))
    body = rendered[rendered.index('<table id="trials">') :].split("</table>")[0]
    assert body.count("<tr") == 1 + len(full["trials"])
    for run in (run for entry in full["confirmed"] for run in entry["runs"]):
        assert f">{run['validation_metric']:.3f}<" in rendered


def test_well_formed_and_self_contained(full: dict[str, Any]) -> None:
    read = page(full)
    assert read.open == []
    linked = [
        (tag, name, value)
        for tag, attributes in read.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action") and not (value or "").startswith("#")
    ]
    assert linked == []
    assert not re.search(r"url\(|@import", render_html(read_report(full)))


def test_every_link_within_the_page_has_its_target(full: dict[str, Any], begun: dict[str, Any]) -> None:
    for result in (full, begun):
        elements = page(result).elements
        ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
        assert {a["href"][1:] for tag, a in elements if tag in ("a", "use")} <= ids


def test_the_policy_allows_exactly_the_script_and_style_of_the_page(full: dict[str, Any]) -> None:
    rendered = render_html(read_report(full))
    policy = next(a["content"] for _, a in Page(rendered).elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", rendered, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not any(name.startswith("on") or name == "style" for _, a in Page(rendered).elements for name in a)


def test_text_from_data_stays_text(hostile: dict[str, Any], full: dict[str, Any]) -> None:
    rendered = render_html(read_report(hostile))
    tags = {tag for tag, _ in page(full).elements}
    assert {tag for tag, _ in Page(rendered).elements} <= tags
    assert rendered.count("<script") == rendered.count("</script") == 1
    assert "<script>alert(1)</script>" in page(hostile).text


@pytest.mark.parametrize(
    "path",
    [
        *("verdict", "asked", "data", "metric", "best", "confirmed", "baselines", "trials", "budget", "excluded"),
        *("seeds", "environment", "asked.model", "asked.methods", "data.labels", "data.rows", "best.load"),
        *("best.validation_spread", "best.runs", "best.test_metric", "confirmed.*.validation_mean", "confirmed.*.runs"),
        *("confirmed.*.test_standard_error", "trials.*.rungs", "trials.*.curve", "trials.*.hyperparameters"),
        *("trials.*.measured_peak_bytes", "trials.*.number", "trials.*.method", "budget.ledger", "budget.rung_steps"),
        *("why", "why.*.reasons", "why.*.title", "importances", "importances.shares", "importances.trials"),
        *("timeline", "timeline.*.worker", "timeline.*.started_seconds", "confirmed.*.winner_lead"),
    ],
)
def test_anything_may_be_missing(without: Callable[[str], dict[str, Any]], path: str) -> None:
    read = page(without(path))
    assert read.open == []
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b", read.text)


def test_an_empty_result_is_a_page_too() -> None:
    text = page({}).text
    assert "No winner yet" in text
    assert "No trial was started." in text
    assert "None" not in text


def test_all_trials_failed(full: dict[str, Any]) -> None:
    full |= {"best": None, "confirmed": [], "baselines": [], "verdict": [], "status": "interrupted"}
    for trial in full["trials"]:
        trial |= {"state": "failed", "rungs": [], "curve": [], "error": f"broke {trial['number']}"}
    text = page(full).text
    assert "Every trial failed" in text
    assert all(f"broke {number}" in text for number in range(14))


def test_without_a_spread_none_is_made_up(unpaired: dict[str, Any]) -> None:
    unpaired["confirmed"] = unpaired["confirmed"][3:]
    unpaired["best"] |= {"validation_spread": None, "runs": unpaired["best"]["runs"][:1], "test_standard_error": None}
    text = page(unpaired).text
    assert "0.569 over 1 seed" in text
    assert "(spread unknown)" in text
    assert "no spread known" in text


def test_a_search_by_loss_shows_the_loss_once(full: dict[str, Any]) -> None:
    full["metric"] = {"name": "loss", "maximize": False}
    rendered = render_html(read_report(full))
    assert rendered[rendered.index('id="confirmed"') :].split("</thead>")[0].count("Validation loss") == 1

"""The report as a reader meets it: in a browser, with a large run, in both colour schemes, on a telephone, on paper."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.large_run import TRIALS

PICTURES = ("better", "curves", "parallel", "importance", "methods", "tradeoff", "memory", "time", "timeline")


def test_it_is_one_small_file_that_says_and_requests_nothing(page: Any, big_report: Path) -> None:
    assert page.said == []
    assert page.requested == [big_report.as_uri()]
    assert big_report.stat().st_size < 5_000_000


def test_every_picture_is_drawn(page: Any) -> None:
    empty = page.evaluate(
        """(sections) => sections.filter((id) => {
            const heading = document.getElementById(id);
            let node = heading;
            while ((node = node.nextElementSibling) && node.tagName !== "H2") {
              for (const svg of node.querySelectorAll("svg[role=img]")) {
                const box = svg.getBoundingClientRect();
                if (box.width > 100 && box.height > 10 && svg.querySelector("use, rect, polyline")) return false;
              }
            }
            return true;
        })""",
        list(PICTURES),
    )
    assert empty == []


def test_markup_in_names_is_text(page: Any) -> None:
    assert page.title() != "broken"
    assert "<script>document.title" in page.locator("#trials").inner_text()
    assert page.locator("img").count() == 0


def test_the_filter_hides_rows_and_their_marks(page: Any) -> None:
    rows = page.locator("#trials tbody tr:visible")
    assert rows.count() == TRIALS
    everything = page.locator("svg [data-t]:visible").count()
    page.fill("input[type=search]", "houlsby stopped")
    kept = rows.count()
    assert 0 < kept < TRIALS
    assert page.locator("#trials-count").inner_text() == f"{kept} of {TRIALS}"
    assert all("houlsby" in text.lower() for text in rows.all_inner_texts())
    assert 0 < page.locator("svg [data-t]:visible").count() < everything
    page.fill("input[type=search]", "")
    assert rows.count() == TRIALS
    assert page.locator("svg [data-t]:visible").count() == everything


def test_the_switch_shows_one_kind_of_cost_at_a_time(page: Any) -> None:
    panes = page.locator(".pane:visible")
    assert panes.count() == 1
    assert page.locator(".switch button").count() == 3
    page.get_by_role("button", name="Trainable parameters").click()
    assert panes.count() == 1
    assert panes.get_attribute("data-name") == "Trainable parameters"
    assert page.locator(".switch [aria-pressed=true]").inner_text() == "Trainable parameters"


def test_a_row_under_the_pointer_lights_its_marks(page: Any) -> None:
    row = page.locator("#trials tbody tr").first
    row.hover()
    number = row.get_attribute("data-t")
    assert page.locator(f'polyline[data-t="{number}"].lit').count() >= 1
    page.locator("h1").hover()
    assert page.locator(".lit").count() == 0


@pytest.mark.parametrize("width", [400, 1100])
def test_nothing_runs_out_of_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def colours(page: Any) -> tuple[str, str]:
    style = "getComputedStyle(document.body)"
    return page.evaluate(f"{style}.backgroundColor"), page.evaluate(f"{style}.color")


@pytest.mark.parametrize("width", [1100, 800, 400])
def test_no_figure_runs_out_of_its_tile(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    tiles = page.evaluate("[...document.querySelectorAll('.tiles > div')].map(e => [e.scrollWidth, e.clientWidth])")
    assert len(tiles) == 6 and all(needed <= there for needed, there in tiles)


def test_it_follows_the_colour_scheme_and_prints_on_white(page: Any) -> None:
    light = colours(page)
    page.emulate_media(color_scheme="dark")
    dark = colours(page)
    assert light[0] == "rgb(255, 255, 255)"
    assert brightness(dark[0]) < 60 < 180 < brightness(dark[1])
    page.emulate_media(color_scheme="dark", media="print")
    assert colours(page) == light
    assert page.locator(".pane:visible").count() == 3, "paper has no switch: all are printed"
    assert len(page.pdf()) > 10_000


def brightness(colour: str) -> float:
    return sum(float(part) for part in colour[4:-1].split(",")) / 3

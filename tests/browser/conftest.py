"""A headless Chromium and the report of a run with 200 trials; both only where they can be had."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autopeft.reporting.write import write_report
from tests.browser.large_run import FLAGS, large_result


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: no browser to open the report in")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def big_result() -> dict[str, Any]:
    """See `large_result`."""
    return large_result()


@pytest.fixture(scope="session")
def big_report(big_result: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report.html."""
    return write_report(big_result, tmp_path_factory.mktemp("big"))


@pytest.fixture
def page(chromium: Any, big_report: Path) -> Iterator[Any]:
    """The report, opened; whatever the page says or asks for is kept in `said` and `requested`."""
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    opened = context.new_page()
    opened.said, opened.requested = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.requested.append(request.url))
    opened.goto(big_report.as_uri())
    yield opened
    context.close()

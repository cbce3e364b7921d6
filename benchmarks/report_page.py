"""How large the report of a 200-trial run is, and how long a browser takes until it can be used.

python benchmarks/report_page.py       needs Debian's chromium and playwright; writes benchmarks/report_page.json
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from autopeft.reporting.facts import read_report
from autopeft.reporting.html import render_html
from tests.browser.large_run import FLAGS, TRIALS, large_result

WRITTEN = Path(__file__).with_suffix(".json")
RUNS = 7
TARGET_BYTES, TARGET_SECONDS = 5_000_000, 2.0


def opened(browser: Browser, page: Path) -> dict[str, float]:
    """Seconds from the request to the script's end, and to the end of loading."""
    tab = browser.new_page()
    tab.goto(page.as_uri())
    timing = tab.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    tab.close()
    return {"interactive": timing["domInteractive"] / 1000, "loaded": timing["loadEventEnd"] / 1000}


def measured() -> dict[str, Any]:
    result = large_result()
    began = time.perf_counter()
    html = render_html(read_report(result))
    rendered = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = Path(folder) / "report.html"
        page.write_text(html, encoding="utf-8")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        times = [opened(browser, page) for _ in range(RUNS)]
        version = browser.version
        browser.close()
    return {
        "trials": TRIALS,
        "bytes": len(html.encode()),
        "render_seconds": round(rendered, 3),
        "chromium": version,
        "runs": RUNS,
        **{
            f"{name}_seconds": {
                "median": round(median(time[name] for time in times), 3),
                "greatest": round(max(time[name] for time in times), 3),
            }
            for name in times[0]
        },
        "targets": {"bytes": TARGET_BYTES, "interactive_seconds": TARGET_SECONDS},
    }


if __name__ == "__main__":
    found = measured()
    WRITTEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("| what | measured | target |\n| --- | ---: | ---: |")
    print(f"| size of the report of {found['trials']} trials | {found['bytes'] / 1e6:.2f} MB | < 5 MB |")
    times = found["interactive_seconds"]
    print(f"| until it can be used, median and greatest of {found['runs']} | ", end="")
    print(f"{times['median']:.2f} s, {times['greatest']:.2f} s | < 2 s |")
    print(f"| rendering it from result.json | {found['render_seconds']:.2f} s | |")

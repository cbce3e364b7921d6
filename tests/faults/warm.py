"""Imported by the process that all others are forked from: one whole search, so that all modules are at hand."""

import contextlib
import io
import tempfile
from pathlib import Path

from autopeft.cli.main import cli
from tests.faults.process import stand_in_for
from tests.faults.session import Session

with tempfile.TemporaryDirectory() as _folder:
    _run = Path(_folder) / "run"
    _words = ("search", "--model=m", "--dataset=d", "--methods=lora", "--trials=4", f"--output={_run}")
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        stand_in_for(Session(_words, _run, Path(_folder) / "log")),
        contextlib.suppress(SystemExit),
    ):
        cli.main(list(_words), prog_name="autopeft")

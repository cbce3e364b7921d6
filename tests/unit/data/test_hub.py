"""A data set by its hub id, configuration and split, fetched from a hub that runs here."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.fake_hub import NAME, serve

READ = """
import json, sys
from autopeft.catalog.load import load_catalog
from autopeft.data.load import prepare_data
from autopeft.errors import AutopeftError
task = load_catalog().task("sequence-classification")
found = []
for name, splits in json.loads(sys.argv[1]):
    try:
        data = prepare_data(name, task, splits=splits)
        found.append({split: [rows.texts["text"][0].split()[0], len(rows)] for split, rows in data.rows.items()})
    except AutopeftError as error:
        found.append([error.message, error.hint])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def read(endpoint: str, home: Path, *asked: tuple[str, dict[str, str]]) -> list[Any]:
    """What a process of its own reads, since where the hub is is decided when its client is imported."""
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | own
    command = [sys.executable, "-c", READ, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_id_with_configuration_and_split_is_fetched_and_found_again(endpoint: str, tmp_path: Path) -> None:
    small = (f"{NAME}:small", {"train": "train", "test": "validation_matched"})
    fetched, several, unknown, nobody = read(
        endpoint, tmp_path, small, (NAME, {}), (f"{NAME}:huge", {}), ("someone/else", {})
    )
    assert fetched["test"] == ["another", 10]
    assert fetched["train"][0] == "story" and fetched["train"][1] + fetched["validation"][1] == 40
    refusals = ((several, "several configurations"), (unknown, "huge"), (nobody, "cannot be had from the hub"))
    for (message, hint), says in refusals:
        assert says in message and "\n" not in message and hint
    # Nobody listens at port 9: what was fetched is read from the cache.
    assert read("http://127.0.0.1:9", tmp_path, small) == [fetched]

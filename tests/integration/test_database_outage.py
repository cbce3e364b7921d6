"""The command, on a study in a real PostgreSQL that is stopped and started while it searches."""

import json
import time
from pathlib import Path

import pytest

from tests.integration.test_resume import TRIALS, finished_slices, start_search, wait_for_slices
from tests.postgres_cluster import PASSWORD, running_cluster, tool

AWAY_SECONDS = 5.0


@pytest.mark.slow
def test_a_search_waits_for_a_database_that_is_stopped_and_started_in_the_middle(
    tiny_bert: Path, sst2: Path, tmp_path: Path
) -> None:
    pytest.importorskip("psycopg")
    if tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    run = tmp_path / "run"
    with running_cluster() as cluster:
        process = start_search(run, tiny_bert, sst2, "--storage", cluster.url)
        wait_for_slices(run, process, 2)
        cluster.stop()
        before = finished_slices(run)
        time.sleep(AWAY_SECONDS)
        assert process.poll() is None, "it waits"
        cluster.start()
        _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said.decode()
    assert PASSWORD not in said.decode()
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "finished"
    assert len(result["trials"]) == TRIALS
    after = finished_slices(run)
    assert all(after[trial][: len(slices)] == slices for trial, slices in before.items()), "nothing was trained again"
    steps = [[json.loads(line)["to_step"] for line in slices] for slices in after.values()]
    assert all(own == sorted(set(own)) for own in steps)

"""What orchestration costs: eight processes on one PostgreSQL study, and what a proposal costs late in a search.

    PYTHONPATH=. python -m benchmarks.orchestration [--processes 8] [--trials 200]

Each process runs the real search stage with its own run directory; only the slice is made up and takes no time. Counted
in the database afterwards: trials begun twice, trials lost, configurations tried twice. The clock runs from when all
processes are ready, imports done, until the last has ended. Then every sampler proposes after 1,000 finished trials.
Writes `orchestration.json`. PostgreSQL must be installed (Debian: `postgresql`); the server lies in a temporary folder.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna

from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec
from autopeft.search.sampler import SAMPLERS, Sampling, propose
from autopeft.search.search_stage import search_stage
from autopeft.search.shared_database import Address, Database
from autopeft.search.shared_study import SharedStudy, agree
from tests.postgres_cluster import running_cluster
from tests.stub_search import METHODS, stub_context

HERE = Path(__file__).parent
STUDY = "orchestration"
IDENTITY = {"model": "stub", "data": "stub"}
HISTORY = 1000


def member(url: str, name: str, folder: Path, trials: int) -> None:
    """One process: gets ready, says so, waits for the start, searches, says what it did."""
    database = Database(Address(url, STUDY, name), print)
    agree(database, IDENTITY, dict)
    context = stub_context(folder / name, study=lambda: SharedStudy(database, METHODS), trials=trials, sampler="random")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.process_time()
    own, _ = search_stage(context)
    done = {"numbers": [record.spec.number for record in own], "slices": sum(len(record.slices) for record in own)}
    print(json.dumps(done | {"cpu_seconds": time.process_time() - began}), flush=True)


def shared(processes: int, trials: int) -> dict[str, Any]:
    """All processes on one study, and what the database holds afterwards."""
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        members = [_member(cluster.url, f"member-{n}", folder, trials) for n in range(processes)]
        for one in members:
            assert one.stdout is not None and one.stdout.readline() == "ready\n"
        began = time.perf_counter()
        for one in members:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.close()
        reports = [json.loads(one.stdout.readline()) for one in members if one.stdout is not None]
        wall_seconds = time.perf_counter() - began
        storage = Database(Address(cluster.url, STUDY, "reader"), print).storage
        return _counted(optuna.load_study(storage=storage, study_name=STUDY), reports, wall_seconds)


def _member(url: str, name: str, folder: str, trials: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.orchestration", "--member", name, "--folder", folder]
    environment = {**os.environ, "AUTOPEFT_BENCHMARK_URL": url}
    return subprocess.Popen(
        [*command, "--trials", str(trials)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _counted(study: optuna.Study, reports: list[dict[str, Any]], wall_seconds: float) -> dict[str, Any]:
    kept = [trial for trial in study.trials if "surplus" not in trial.user_attrs]
    numbers = Counter(number for report in reports for number in report["numbers"])
    configurations = Counter(tuple(sorted(trial.params.items())) for trial in kept)
    return {
        "processes": len(reports),
        "trials": len(kept),
        "slices": sum(report["slices"] for report in reports),
        "numbers_twice": sum(count > 1 for count in numbers.values()),
        "configurations_twice": sum(count > 1 for count in configurations.values()),
        "lost": len({trial.number for trial in kept} - numbers.keys()),
        "unfinished": sum(not trial.state.is_finished() for trial in study.trials),
        "wall_seconds": round(wall_seconds, 2),
        "cpu_seconds": round(sum(report["cpu_seconds"] for report in reports), 2),
        "trials_per_second": round(len(kept) / wall_seconds, 1),
        "trials_of_each": sorted(len(report["numbers"]) for report in reports),
    }


def proposals(count: int) -> list[dict[str, Any]]:
    """What each sampler takes for one more proposal after `HISTORY` trials, in processor milliseconds."""
    records = _history()
    rows = []
    for name in SAMPLERS:
        taken = []
        for number in range(HISTORY, HISTORY + count):
            began = time.process_time()
            propose(records, list(METHODS.values()), number=number, sampling=Sampling(name))
            taken.append(1000 * (time.process_time() - began))
        rows.append({"sampler": name, "median_ms": round(statistics.median(taken), 1), "most_ms": round(max(taken), 1)})
        print("{sampler:8} {median_ms:9.1f} ms, at most {most_ms:.1f} ms".format(**rows[-1]))
    return rows


def _history() -> list[TrialRecord]:
    generator = random.Random(0)
    records: list[TrialRecord] = []
    for number in range(HISTORY):
        proposal = propose([], list(METHODS.values()), number=number, sampling=Sampling("random"))
        spec = TrialSpec(number, proposal.method, proposal.hyperparameters, 0)
        loss = generator.random()
        piece = SliceResult(10, loss, 0.0, None, None, (), 0.1, 0.1, 0.2, 1000, 100)
        records.append(TrialRecord(spec, "paused", [piece]))
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--proposals", type=int, default=5)
    parser.add_argument("--member", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.member:
        member(os.environ["AUTOPEFT_BENCHMARK_URL"], asked.member, asked.folder, asked.trials)
        return
    together = shared(asked.processes, asked.trials)
    print(json.dumps(together, indent=1))
    content = {"shared": together, "history": HISTORY, "proposals": proposals(asked.proposals)}
    (HERE / "orchestration.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

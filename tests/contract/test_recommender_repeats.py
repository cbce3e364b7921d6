"""The same question has the same answer in every process, whatever order its sets and dicts of strings come in."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASK = """
import json
from dataclasses import asdict
from autopeft.catalog.load import load_catalog
from benchmarks.recommender import hold_all
print(json.dumps([asdict(one) for one in hold_all(load_catalog())]))
"""


def test_rankings_do_not_hang_on_the_order_of_hashes() -> None:
    first, second = (_answers(hash_seed) for hash_seed in ("1", "2"))
    assert len(first) > 1000
    assert first == second


def _answers(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, check=True, capture_output=True, text=True)
    return done.stdout

"""The study's database goes away or is held by somebody else while the search goes on."""

import random
import sqlite3
import time
from contextlib import closing

from tests.faults.registry import fault
from tests.faults.scene import Scene

# SQLite waits five seconds for a lock.
HELD_SECONDS = 6.0


@fault(workers=1)
def database_removed_meanwhile(scene: Scene, draw: random.Random) -> None:
    """Somebody deletes the study's database while the search goes on"""
    scene.misbehaves = "slow 3 always"
    slices = draw.randint(1, 6)
    with scene.searching() as process:
        while process.exitcode is None and scene.slices_kept() < slices:
            time.sleep(0.01)
        (scene.run / "study.db").unlink(missing_ok=True)
    scene.checked(scene.outcomes[-1], (0, 6))
    scene.finishes()


@fault(workers=1)
def database_held(scene: Scene, draw: random.Random) -> None:
    """Another process holds the study's database for longer than SQLite waits"""
    slices = draw.randint(1, 6)
    with scene.searching() as process:
        while process.exitcode is None and scene.slices_kept() < slices:
            time.sleep(0.01)
        with closing(sqlite3.connect(scene.run / "study.db", timeout=60)) as held:
            held.execute("BEGIN EXCLUSIVE")
            until = time.monotonic() + HELD_SECONDS
            while process.exitcode is None and time.monotonic() < until:
                time.sleep(0.05)
            held.rollback()
    scene.checked(scene.outcomes[-1], (0, 6))
    scene.finishes()

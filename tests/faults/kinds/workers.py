"""A worker process dies, hangs, or says what it should not."""

import random

from tests.faults.registry import fault
from tests.faults.scene import TRIALS, Scene


def _once(scene: Scene, draw: random.Random, how: str) -> None:
    scene.misbehaves = f"{how} {draw.randint(1, TRIALS)} {scene.folder / 'marker'}"
    scene.checked(scene.search(), (0,))
    assert (scene.folder / "marker").exists(), "nothing happened"
    scene.finishes()


@fault(workers=2)
def worker_killed(scene: Scene, draw: random.Random) -> None:
    """SIGKILL to a worker in a slice"""
    _once(scene, draw, "die")


@fault(workers=1)
def worker_hangs(scene: Scene, draw: random.Random) -> None:
    """A worker stands still in a slice"""
    _once(scene, draw, "hang")


@fault(workers=1)
def worker_hangs_while_it_loads(scene: Scene, draw: random.Random) -> None:
    """A worker stands still before it is ready"""
    _once(scene, draw, "hang-loading")


@fault(workers=1)
def worker_hangs_on_the_test_split(scene: Scene, draw: random.Random) -> None:
    """A worker stands still while it measures the winner"""
    _once(scene, draw, "test")


@fault(workers=1)
def worker_killed_while_it_writes_the_adapter(scene: Scene, draw: random.Random) -> None:
    """SIGKILL to a worker as it is to export the winner"""
    _once(scene, draw, "export")


@fault(workers=1)
def worker_answers_twice(scene: Scene, draw: random.Random) -> None:
    """The same answer twice, the second one during the next slice"""
    _once(scene, draw, "twice")


@fault(workers=1)
def worker_talks_nonsense(scene: Scene, draw: random.Random) -> None:
    """An answer that is none"""
    _once(scene, draw, "nonsense")


@fault(workers=1)
def worker_dies_in_the_middle_of_an_answer(scene: Scene, draw: random.Random) -> None:
    """Half an answer, then SIGKILL"""
    _once(scene, draw, "cut")


@fault(workers=2)
def worker_is_slow(scene: Scene, draw: random.Random) -> None:
    """One of two workers takes much longer: no order of answers may matter to what is kept"""
    scene.misbehaves = f"slow {draw.randint(1, 3)} always"
    scene.checked(scene.search(), (0,))
    scene.finishes(like_undisturbed=False)


@fault(workers=1)
def slice_that_kills_every_worker(scene: Scene, draw: random.Random) -> None:
    """Each worker dies in its first slices: their trials fail, one by one, and so does the search, with a message"""
    scene.misbehaves = "die 1 always"
    outcome = scene.checked(scene.search(), (6,))
    assert "workers ended in this slice" in outcome.message
    scene.misbehaves = ""
    scene.nothing_is_lost()

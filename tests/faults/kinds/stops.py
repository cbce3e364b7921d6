"""The search is killed or told to stop, at any of the operations on its run directory."""

import random

from tests.faults.disturbances import At
from tests.faults.registry import fault
from tests.faults.scene import Scene


def _stop(scene: Scene, draw: random.Random, act: str, allowed: tuple[int, ...]) -> None:
    scene.checked(scene.search(At(draw.randint(1, scene.operations), act)), allowed)
    if (scene.run / "plan.json").exists():
        scene.finishes()
    else:
        assert scene.checked(scene.search()).status == 0
        scene.finishes()


@fault()
def killed(scene: Scene, draw: random.Random) -> None:
    """SIGKILL to the search"""
    _stop(scene, draw, "kill", (-9,))


@fault(workers=2)
def killed_over_workers(scene: Scene, draw: random.Random) -> None:
    """SIGKILL to a search that has two workers"""
    _stop(scene, draw, "kill", (-9, 0))


@fault()
def killed_again_and_again(scene: Scene, draw: random.Random) -> None:
    """SIGKILL to the search, and to its first two resumptions"""
    _stop_often(scene, draw)


def _stop_often(scene: Scene, draw: random.Random) -> None:
    scene.checked(scene.search(At(draw.randint(20, scene.operations // 2), "kill")), (-9,))
    for _ in range(2):
        scene.checked(scene.resume(At(draw.randint(1, scene.operations // 4), "kill")), (-9, 0))
    scene.finishes()


@fault()
def interrupted(scene: Scene, draw: random.Random) -> None:
    """SIGINT, as of Ctrl-C"""
    _stop(scene, draw, "interrupt", (0, 130))


@fault()
def terminated(scene: Scene, draw: random.Random) -> None:
    """SIGTERM, as of a batch system"""
    _stop(scene, draw, "terminate", (0, 130))


@fault(workers=1)
def interrupted_twice(scene: Scene, draw: random.Random) -> None:
    """A second SIGINT while the first is being obeyed"""
    _stop(scene, draw, "interrupt twice", (0, 130))


@fault()
def two_at_once(scene: Scene, draw: random.Random) -> None:
    """A second process resumes a run that goes on"""
    scene.search(At(draw.randint(30, scene.operations), "kill"))
    with scene.resuming():
        said = scene.resume()
        assert said.status in (0, 6), said.said
        assert said.status == 0 or "another search is working on" in said.message
    scene.finishes()

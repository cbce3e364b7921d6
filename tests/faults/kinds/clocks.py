"""The calendar's clock is not to be trusted."""

import random

from tests.faults.disturbances import At
from tests.faults.registry import fault
from tests.faults.scene import Scene


@fault()
def clock_goes_back(scene: Scene, draw: random.Random) -> None:
    """The clock loses a minute again and again, and the run is killed and resumed meanwhile"""
    scene.checked(scene.search(At(draw.randint(1, scene.operations), "clock goes back")), (0,))
    scene.finishes()


@fault()
def clock_was_set_back_between_two_sessions(scene: Scene, draw: random.Random) -> None:
    """A resumed session lives in the past"""
    scene.checked(scene.search(At(draw.randint(20, scene.operations), "kill")), (-9,))
    scene.checked(scene.resume(At(1, "clock goes back")), (0,))
    scene.finishes()

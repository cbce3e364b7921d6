"""Trials that go wrong by themselves: the search goes on without them, and says so."""

import json
import random

from tests.faults.registry import fault
from tests.faults.scene import Scene
from tests.faults.stand_in import METHODS


def _trials_fail(scene: Scene, draw: random.Random, failure: str, state: str) -> None:
    method = draw.choice(METHODS[1:])
    scene.fails = (method, failure)
    scene.checked(scene.search(), (0,))
    scene.finishes(like_undisturbed=False)
    result = json.loads((scene.run / "result.json").read_text())
    assert {trial["state"] == state for trial in result["trials"] if trial["method"] == method} == {True}
    assert all(trial["error"] for trial in result["trials"] if trial["method"] == method)
    assert result["best"]["method"] != method


@fault()
def loss_is_nan(scene: Scene, draw: random.Random) -> None:
    """The loss of one method is no number"""
    _trials_fail(scene, draw, "DivergedError: the training loss at step 3 is not finite", "failed")


@fault()
def loss_is_infinite(scene: Scene, draw: random.Random) -> None:
    """The loss of one method is infinite"""
    _trials_fail(scene, draw, "DivergedError: the validation loss at step 10 is inf", "failed")


@fault()
def out_of_memory(scene: Scene, draw: random.Random) -> None:
    """One method never fits"""
    _trials_fail(scene, draw, "oom", "oom")

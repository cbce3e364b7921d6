"""The disk is full, not writable, or away."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.disturbances import At
from tests.faults.registry import NotHere, fault
from tests.faults.scene import Scene

UNDISTURBED_KILOBYTES = 700


def _from_then_on(scene: Scene, draw: random.Random, act: str, *, first: int = 3) -> None:
    outcome = scene.checked(scene.search(At(draw.randint(first, scene.operations), act)), (0, 6))
    if not (scene.run / "plan.json").exists():
        assert outcome.status == 6
        scene.checked(scene.search(), (0,))
    scene.finishes()


@fault()
def disk_full(scene: Scene, draw: random.Random) -> None:
    """No file can be written from some moment on"""
    _from_then_on(scene, draw, "full disk")


@fault()
def disk_full_for_a_moment(scene: Scene, draw: random.Random) -> None:
    """One file cannot be written"""
    _from_then_on(scene, draw, "full disk for a moment")


@fault()
def input_output_error(scene: Scene, draw: random.Random) -> None:
    """The disk fails once"""
    _from_then_on(scene, draw, "input/output error for a moment")


@fault()
def read_only(scene: Scene, draw: random.Random) -> None:
    """The file system becomes read-only"""
    _from_then_on(scene, draw, "read-only file system")


@fault()
def not_permitted(scene: Scene, draw: random.Random) -> None:
    """The folder is taken away from the user"""
    _from_then_on(scene, draw, "no permission")


@fault()
def file_size_limit(scene: Scene, draw: random.Random) -> None:
    """A limit of the system (RLIMIT_FSIZE) stops every file that grows, the database's too"""
    _from_then_on(scene, draw, "no file grows")


@fault()
def disk_really_full(scene: Scene, draw: random.Random) -> None:
    """A small file system of its own (tmpfs) that fills up, the database's file too, and is made larger then"""
    kilobytes = draw.randint(40, UNDISTURBED_KILOBYTES)
    with _small_disk(scene, kilobytes):
        outcome = scene.checked(scene.search(), (0, 6))
        _mount(scene, "remount,size=64m")
        if not (scene.run / "plan.json").exists():
            assert outcome.status == 6
            scene.checked(scene.search(), (0,))
        scene.finishes()


@contextmanager
def _small_disk(scene: Scene, kilobytes: int) -> Iterator[None]:
    """The scene's run on a disk of that size."""
    place = scene.folder / "disk"
    place.mkdir()
    scene.run = place / "run"
    _mount(scene, f"size={kilobytes}k")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _mount(scene: Scene, options: str) -> None:
    if os.getuid():
        raise NotHere("only root can mount a small disk")
    place = str(scene.run.parent)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"no small disk can be mounted: {done.stderr.strip()}")

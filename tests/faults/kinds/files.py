"""What lies on disk is damaged between two sessions."""

import random
from pathlib import Path

from tests.faults.disturbances import At
from tests.faults.registry import fault
from tests.faults.scene import Scene

REFUSED = (4, 6)


def _stopped(scene: Scene, draw: random.Random) -> None:
    """A run that was killed when it had some slices."""
    scene.checked(scene.search(At(draw.randint(40, scene.operations - 30), "kill")), (-9,))


@fault()
def checkpoint_changed(scene: Scene, draw: random.Random) -> None:
    """Some bytes of each checkpoint are others than were written"""
    _stopped(scene, draw)
    for path in _checkpoints(scene.run):
        content = bytearray(path.read_bytes())
        for _ in range(3):
            content[draw.randrange(len(content))] ^= draw.randint(1, 255)
        path.write_bytes(content)
    scene.finishes()


@fault()
def checkpoint_cut(scene: Scene, draw: random.Random) -> None:
    """Each checkpoint ends in the middle"""
    _stopped(scene, draw)
    for path in _checkpoints(scene.run):
        path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])
    scene.finishes()


@fault(workers=1)
def checkpoint_gone(scene: Scene, draw: random.Random) -> None:
    """No checkpoint is there any more"""
    _stopped(scene, draw)
    for path in _checkpoints(scene.run):
        path.unlink()
    scene.finishes()


@fault()
def events_cut(scene: Scene, draw: random.Random) -> None:
    """The slice that was kept last is cut off in the middle of its line: it is trained again"""
    _stopped(scene, draw)
    path = max(scene.run.glob("*/*/events.jsonl"), key=lambda events: events.stat().st_mtime_ns)
    last = path.read_bytes().splitlines(keepends=True)[-1]
    path.write_bytes(path.read_bytes()[: -draw.randint(1, len(last))])
    scene.forget_kept()
    scene.finishes()


@fault()
def database_changed(scene: Scene, draw: random.Random) -> None:
    """A page of the study's database is overwritten"""
    _stopped(scene, draw)
    path = scene.run / "study.db"
    content = bytearray(path.read_bytes())
    at = draw.randrange(0, len(content), 4096)
    content[at : at + 4096] = draw.randbytes(4096)
    path.write_bytes(content)
    scene.finishes()


@fault()
def database_cut(scene: Scene, draw: random.Random) -> None:
    """The study's database ends in the middle"""
    _stopped(scene, draw)
    path = scene.run / "study.db"
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])
    scene.finishes()


@fault()
def database_gone(scene: Scene, draw: random.Random) -> None:
    """The study's database is not there any more"""
    _stopped(scene, draw)
    (scene.run / "study.db").unlink()
    scene.finishes()


@fault()
def json_cut(scene: Scene, draw: random.Random) -> None:
    """A JSON file ends in the middle: refused with its name until it is restored, and nothing is touched meanwhile"""
    _stopped(scene, draw)
    path = draw.choice([*_json_files(scene.run)])
    whole = path.read_bytes()
    path.write_bytes(whole[: draw.randrange(1, len(whole) - 2)])
    refused = scene.checked(scene.resume(), REFUSED, events=False)
    assert path.name in refused.message
    path.write_bytes(whole)
    scene.finishes()


@fault()
def result_cut(scene: Scene, draw: random.Random) -> None:
    """result.json of a finished run ends in the middle: it is written again"""
    scene.checked(scene.search(), (0,))
    path = scene.run / "result.json"
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])
    scene.checked(scene.resume(), (0,))
    scene.finishes()


def _checkpoints(run: Path) -> list[Path]:
    return sorted(run.glob("*/*/checkpoint/*.safetensors"))


def _json_files(run: Path) -> list[Path]:
    """Those that every session reads."""
    named = [run / name for name in ("plan.json", "ledger.json", "confirm.json") if (run / name).exists()]
    return [*named, *sorted(run.glob("trials/*/spec.json"))]

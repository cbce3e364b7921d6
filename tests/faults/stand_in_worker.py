"""A worker process with made-up training: speaks a pool's language, and misbehaves once where it is told to.

What it is to do wrong stands in the environment variable `MISBEHAVE`, as `how at marker`: in its slice number `at`
(from 1), where nobody has made the file `marker` before; `always` in the place of a marker does it every time.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autopeft.domain.trials import TrialSpec
from autopeft.errors import AutopeftError, DamagedStateError
from autopeft.execution.messages import plain_evaluation, slice_task
from tests.faults import stand_in

MISBEHAVE = "AUTOPEFT_STAND_IN_MISBEHAVES"
SLOW_SECONDS = 0.3


def main() -> None:
    """Serve until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.readline()
    if _wrong("hang-loading", 0):
        _hang()
    _say({"ready": True})
    slices = 0
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "stop":
            continue
        slices += message["do"] == "slice"
        for how, misbehave in MISDEEDS.items():
            if message["do"] in ("slice", how) and _wrong(how, slices):
                misbehave(message)
        _say({**_answer(message), "number": message["number"]})


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    try:
        if message["do"] == "slice":
            return {"result": stand_in.train(slice_task(message)).to_dict()}
        spec, folder = TrialSpec.from_dict(message["spec"]), Path(message["folder"])
        state = stand_in.load(folder, message["step"])
        if message["do"] == "test":
            return {"evaluation": plain_evaluation(stand_in.evaluation(state))}
        stand_in.export(spec, state, Path(message["target"]))
        return {"exported": True}
    except DamagedStateError as error:
        return {"lost": error.message}
    except AutopeftError as error:
        return {"refused": error.message, "hint": error.hint}


def _wrong(how: str, slices: int) -> bool:
    """Whether this is the moment."""
    told, _, rest = os.environ.get(MISBEHAVE, "").partition(" ")
    at, _, marker = rest.partition(" ")
    if told != how or (slices != int(at) and how not in ("hang-loading", "test", "export")):
        return False
    if marker == "always":
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _hang(message: object = None) -> None:
    time.sleep(3600)


def _die(message: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in_the_middle_of_an_answer(message: dict[str, Any]) -> None:
    text = json.dumps({**_answer(message), "number": message["number"]})
    sys.stdout.write(text[: len(text) // 2])
    sys.stdout.flush()
    _die(message)


def _answer_twice(message: dict[str, Any]) -> None:
    _say({**_answer(message), "number": message["number"]})


def _talk_nonsense(message: object) -> None:
    sys.stdout.write('{"result": {"to_step": NaN}}\n')
    sys.stdout.flush()


def _be_slow(message: object) -> None:
    time.sleep(SLOW_SECONDS)


MISDEEDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "hang": _hang,
    "die": _die,
    "cut": _die_in_the_middle_of_an_answer,
    "twice": _answer_twice,
    "nonsense": _talk_nonsense,
    "slow": _be_slow,
    "test": _hang,
    "export": _die,
}

if __name__ == "__main__":
    main()

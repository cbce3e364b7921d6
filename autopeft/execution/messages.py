"""What the search and a worker process say to each other: one JSON object a line, never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from autopeft.domain.evaluation import Evaluation
from autopeft.domain.trials import TrialSpec
from autopeft.execution.protocol import SliceTask

STOP = {"do": "stop"}


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message of a line.

    Raises:
        ValueError: it is none.
    """
    message = json.loads(line, parse_constant=_refused)
    if not isinstance(message, dict):
        raise ValueError("no JSON object")
    return message


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def slice_message(task: SliceTask) -> dict[str, Any]:
    """Asks for a slice."""
    return {
        "do": "slice",
        "spec": task.spec.to_dict(),
        "folder": str(task.folder),
        "from_step": task.from_step,
        "to_step": task.to_step,
        "restart": task.restart,
    }


def slice_task(message: Mapping[str, Any]) -> SliceTask:
    """What `slice_message` asks for; the limit of time is the asker's to keep."""
    spec = TrialSpec.from_dict(message["spec"])
    folder, steps = Path(message["folder"]), (message["from_step"], message["to_step"])
    return SliceTask(spec, folder, *steps, restart=message["restart"])


def trained_message(do: str, spec: TrialSpec, folder: Path, step: int) -> dict[str, Any]:
    """Asks for something of the checkpoint at `step`: `test` or `export`."""
    return {"do": do, "spec": spec.to_dict(), "folder": str(folder), "step": step}


def plain_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """As plain JSON values."""
    return {field.name: getattr(evaluation, field.name) for field in fields(evaluation)}


def evaluation_from(plain: Mapping[str, Any]) -> Evaluation:
    """The inverse of `plain_evaluation`."""
    return Evaluation(**{name: _tuples(value) for name, value in plain.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

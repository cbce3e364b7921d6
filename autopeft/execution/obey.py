"""What a worker does with a message, wherever it sits: does what is asked, and says what came of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autopeft.domain.trials import TrialSpec
from autopeft.errors import AutopeftError, DamagedStateError
from autopeft.execution.in_process import InProcessExecutor
from autopeft.execution.messages import plain_evaluation, slice_task
from autopeft.training.slice import SliceAbandoned


def answer_to(
    executor: InProcessExecutor, message: Mapping[str, Any], stop_requested: Callable[[], bool]
) -> dict[str, Any]:
    """The answer: one of `result`, `abandoned`, `lost`, `evaluation`, `exported` and `refused`, as plain values."""
    try:
        return _done(executor, message, stop_requested)
    except SliceAbandoned:
        return {"abandoned": True}
    except DamagedStateError as error:
        return {"lost": error.message}
    except AutopeftError as error:
        return refusal(error)


def refusal(error: AutopeftError) -> dict[str, Any]:
    """The answer that something cannot be done."""
    return {"refused": error.message, "hint": error.hint}


def _done(
    executor: InProcessExecutor, message: Mapping[str, Any], stop_requested: Callable[[], bool]
) -> dict[str, Any]:
    match message["do"]:
        case "slice":
            return {"result": executor.run(slice_task(message), stop_requested).to_dict()}
        case "test":
            return {"evaluation": plain_evaluation(executor.test(*_trained(message)))}
        case _:
            executor.export(*_trained(message), Path(message["target"]))
            return {"exported": True}


def _trained(message: Mapping[str, Any]) -> tuple[TrialSpec, Path, int]:
    return TrialSpec.from_dict(message["spec"]), Path(message["folder"]), message["step"]

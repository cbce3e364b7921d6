"""The other end of `RemoteTracer`: `python -m autopeft.memory.worker FD ...` prices what it is asked on its sockets.

It imports once, and then serves the first socket itself and each further one in a fork of its own. One JSON object a
line: first how to price (`device`, `padded`), then questions; for each an answer, the estimate's plain values. A
process ends when its socket does, so none outlives by more than a trace the process that asked.
"""

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from autopeft.catalog import Catalog, load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.estimate import Question, TracingEstimator
from autopeft.memory.lean_imports import import_for_traces


def as_plain(question: Question) -> dict[str, Any]:
    """A question as JSON values; task and method go by their ids, which the shipped catalogue must know."""
    return {
        "name": question.model.name,
        "config": dict(question.model.config),
        "task": question.task.id,
        "head": question.task.head,
        "method": question.method.id,
        "hyperparameters": dict(question.hyperparameters),
        "shape": {name: getattr(question.shape, name) for name in question.shape.__dataclass_fields__},
    }


def from_plain(plain: Mapping[str, Any], catalog: Catalog) -> Question:
    """The inverse of `as_plain`."""
    return Question(
        ModelSpec(plain["name"], plain["config"]),
        catalog.tasks[plain["task"]].with_head(plain["head"]),
        catalog.methods[plain["method"]],
        plain["hyperparameters"],
        StepShape(**plain["shape"]),
    )


def serve(asker: TextIO, catalog: Catalog) -> None:
    """Answer until the other end is closed."""
    settings = json.loads(asker.readline() or "null")
    if settings is None:
        return
    # The asker keeps what it is told: two writers would write the same.
    capability = settings["compute_capability"]
    estimator = TracingEstimator(
        catalog,
        device=settings["device"],
        padded=settings["padded"],
        compute_capability=capability and tuple(capability),
        cache=False,
    )
    for line in asker:
        asker.write(json.dumps(estimator.trace(from_plain(json.loads(line), catalog))) + "\n")
        asker.flush()


def one_of(sockets: list[socket.socket]) -> socket.socket:
    """The socket that this process serves: it forks for all others, whose processes return here too.

    Each process closes what is not its own, so that its end is seen at once on the other side.
    """
    while len(sockets) > 1:
        given = sockets.pop()
        if os.fork() == 0:
            for other in sockets:
                other.close()
            return given
        given.close()
    return sockets[0]


def main() -> None:
    """Serve the sockets that are named by number; Ctrl-C is the asker's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sockets = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    catalog = load_catalog()
    import_for_traces()
    # What is there now stays: no collection needs to look at it, and none makes a fork copy it.
    gc.freeze()
    with one_of(sockets) as mine, mine.makefile("rw", encoding="utf-8") as asker:
        try:
            serve(asker, catalog)
        except BrokenPipeError:  # nobody waits for the answer any more
            return


if __name__ == "__main__":
    main()

"""The other end of `RemoteTracer`: `python -m autopeft.memory.worker` prices what it is asked on stdin.

One JSON object a line: first how to price (`device`, `padded`), then questions; for each an answer on stdout, the
estimate's plain values. It ends when stdin does, so it never outlives the process that asked.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from autopeft.catalog import Catalog, load_catalog
from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.memory.collector import without_collector
from autopeft.memory.estimate import Question, TracingEstimator


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


def serve(questions: TextIO, answers: TextIO) -> None:
    """Answer until `questions` ends."""
    catalog = load_catalog()
    settings = json.loads(questions.readline())
    # The asker keeps what it is told: two writers would write the same.
    capability = settings["compute_capability"]
    estimator = TracingEstimator(
        catalog,
        device=settings["device"],
        padded=settings["padded"],
        compute_capability=capability and tuple(capability),
        cache=False,
    )
    with without_collector():
        import autopeft.memory.pricing  # noqa: F401 - seconds, spent while the asker imports the same

    for line in questions:
        answers.write(json.dumps(estimator.trace(from_plain(json.loads(line), catalog))) + "\n")
        answers.flush()


def main() -> None:
    """Serve on stdin and stdout; Ctrl-C is the asker's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()

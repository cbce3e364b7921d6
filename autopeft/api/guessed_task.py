"""The task of a search where the user named none."""

from dataclasses import replace
from typing import Any, cast

from autopeft.api.preparation import DEMO
from autopeft.api.request import DEFAULT_TASKS
from autopeft.catalog.contents import Catalog
from autopeft.data.bad_rows import BadRows
from autopeft.data.files import TextDocuments
from autopeft.data.infer_task import guess_task
from autopeft.data.peek import first_rows
from autopeft.data.sources import Reading
from autopeft.domain.models import ArchitectureSpec
from autopeft.domain.plan import SearchRequest


def with_guessed_task(
    request: SearchRequest, source: Any, catalog: Catalog, architecture: ArchitectureSpec
) -> tuple[SearchRequest, tuple[str, ...]]:
    """The request with a task, and a note where that is a guess.

    Args:
        request: perhaps without a task.
        source: an object given in Python, or None to read `request.dataset`.
        catalog: gives the tasks.
        architecture: of the model.

    Raises:
        DataError: the data cannot be read.
    """
    if request.task or request.dataset == DEMO:
        return request, ()
    default = DEFAULT_TASKS[architecture.kind]
    documents = cast(TextDocuments, request.documents)
    reading = Reading(documents, request.splits, BadRows(request.max_bad_rows))
    rows = first_rows(request.dataset if source is None else source, reading)
    suited = [task for task in catalog.tasks.values() if architecture.kind in task.architectures]
    guess = guess_task(rows, suited, default, request.columns)
    if guess is None:
        return replace(request, task=default), ()
    return replace(request, task=guess.task), (guess.note,)

"""What a user says about the data, checked before anything heavy is imported."""

from autopeft.domain.plan import SearchRequest
from autopeft.errors import UsageError

DOCUMENTS = ("auto", "line", "file")
CLASS_WEIGHTS = ("balanced",)


def check_data_choices(request: SearchRequest) -> None:
    """See that the choices are among those that there are, before anything is read.

    Raises:
        UsageError: one is not.
    """
    if request.documents not in DOCUMENTS:
        raise UsageError(f"--documents {request.documents} is unknown", hint=f"use {_listed(DOCUMENTS)}")
    if request.class_weights not in (None, *CLASS_WEIGHTS):
        raise UsageError(f"--class-weights {request.class_weights} is unknown", hint=f"use {_listed(CLASS_WEIGHTS)}")
    if request.max_bad_rows is not None and request.max_bad_rows < 0:
        raise UsageError(f"--max-bad-rows {request.max_bad_rows} makes no sense", hint="it must be at least 0")


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names)

"""The exception tree: every error a user can cause carries a hint and an exit code.

AutopeftError                  1  a bug, when nothing more precise is known
├── UsageError                 2  an option or argument makes no sense
├── NothingFitsError           3  no method fits: a valid answer
├── InputError                 4  what was given cannot be used
│   ├── CatalogError              a YAML file of the catalogue
│   ├── DataError                 a data set
│   └── ModelError                a model folder, its config or its weights
│       └── RankError             a rank that exceeds a layer
├── MissingDependencyError     5  an extra or a device is missing
├── RunError                   6  the run could not finish; its state is safe
│   └── DamagedStateError         a trial's checkpoint is not there or not what was written
└── RunInterrupted           130  stopped by a signal; resumable
"""


class AutopeftError(Exception):
    """What failed, where and why, with an optional hint on what to do.

    Attributes:
        message: one line, without the hint.
        hint: what to do about it, or None.
        exit_code: the exit status of the command line for this kind of error.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(AutopeftError):
    """An option or argument makes no sense."""

    exit_code = 2


class NothingFitsError(AutopeftError):
    """No method fits the stated memory: a valid answer, not a fault."""

    exit_code = 3


class InputError(AutopeftError):
    """A model, a data set or a catalogue file cannot be used."""

    exit_code = 4


class CatalogError(InputError):
    """A YAML file of the catalogue is broken; the message names file and line."""


class DataError(InputError):
    """A data set cannot be read or does not fit the task."""


class ModelError(InputError):
    """A model folder, its config or its weights cannot be used."""


class RankError(ModelError):
    """A rank exceeds the size of a layer.

    Attributes:
        greatest: the rank that this layer allows.
    """

    def __init__(self, message: str, *, greatest: int) -> None:
        super().__init__(message, hint=f"choose a rank of at most {greatest}")
        self.greatest = greatest


class MissingDependencyError(AutopeftError):
    """An optional package or a device is missing."""

    exit_code = 5


class RunError(AutopeftError):
    """The run could not finish; what was finished is safe and `resume` goes on."""

    exit_code = 6


class DamagedStateError(RunError):
    """A trial's checkpoint is not there, or is not what was written: the trial can be trained again."""


class RunInterrupted(AutopeftError):
    """Stopped by a signal after the running slice; resumable."""

    exit_code = 130

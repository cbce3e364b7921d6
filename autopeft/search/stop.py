"""The wish to end a search early."""

from dataclasses import dataclass


@dataclass(slots=True)
class Stop:
    """Set by a signal: finish nothing more than the running slice."""

    requested: bool = False

"""Published measurements that the ranking uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from autopeft.domain.knobs import Value
from autopeft.domain.methods import Source


@dataclass(frozen=True, slots=True)
class Evidence:
    """One table (`search_spaces/evidence/<id>.yaml`).

    Attributes:
        id: name of the file.
        title: one line for people.
        source: where the figures come from.
        rows: one mapping a measurement; units stand in the names; None where nothing was measured.
    """

    id: str
    title: str
    source: Source
    rows: tuple[Mapping[str, Value | None], ...]

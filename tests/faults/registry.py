"""The kinds of faults: each a function in a module of `tests/faults/kinds/`, found by itself."""

import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.faults.scene import Scene, Workshop

Strike = Callable[[Scene, random.Random], None]
_KINDS: dict[str, "FaultKind"] = {}


class NotHere(Exception):
    """This machine cannot make such a fault; the message says why."""


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault.

    Attributes:
        name: as in the table.
        about: what happens, in one line.
        workers: processes of the searches that it happens to.
        strike: does it to a scene that has not begun, and asserts what must hold.
    """

    name: str
    about: str
    workers: int
    strike: Strike

    def happen(self, workshop: Workshop, seed: int) -> Scene:
        """One fault of the kind, drawn from the seed.

        Raises:
            AssertionError: something that must hold does not.
            NotHere: this machine cannot make it.
        """
        scene = workshop.scene(workers=self.workers)
        self.strike(scene, random.Random(seed))
        return scene


def fault(*, workers: int = 0) -> Callable[[Strike], Strike]:
    """Registers a kind under the name of its function."""

    def register(strike: Strike) -> Strike:
        name = strike.__name__.replace("_", " ")
        _KINDS[name] = FaultKind(name, (strike.__doc__ or "").splitlines()[0], workers, strike)
        return strike

    return register


def fault_kinds() -> dict[str, FaultKind]:
    """All kinds by name, in the order of the alphabet."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "kinds")]):
        import_module(f"tests.faults.kinds.{module.name}")
    return dict(sorted(_KINDS.items()))

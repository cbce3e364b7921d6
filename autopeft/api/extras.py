"""The optional packages of autopeft: what each extra is for, and whether it is here."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

# For those who work on autopeft itself.
_FOR_CONTRIBUTORS = {"dev", "docs"}
_SERVES = {
    "demo": "search --demo",
    "dashboard": "dashboard",
    "onnx": "export --format onnx",
    "cmaes": "search --sampler cmaes",
    "ray": "search --engine ray",
    "quantized": "search --base-precision nf4",
    "postgresql": "search --storage postgresql://…",
    "mysql": "search --storage mysql://…",
    "mlflow": "search --track mlflow",
    "tensorboard": "search --track tensorboard",
    "wandb": "search --track wandb",
}


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra.

    Attributes:
        name: as pip takes it, `autopeft[name]`.
        serves: what it makes work; the packages where nothing else is known.
        missing: packages that are not installed, or too old.
    """

    name: str
    serves: str
    missing: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def install_hint(self) -> str:
        """The command that installs it."""
        return f"pip install 'autopeft[{self.name}]'"


def known_extras() -> tuple[Extra, ...]:
    """The extras of the installed autopeft, by name; none where it was not installed as a package."""
    try:
        stated = [Requirement(line) for line in requires("autopeft") or ()]
    except PackageNotFoundError:
        return ()
    names = sorted({name for one in stated if (name := _extra_of(one)) is not None} - _FOR_CONTRIBUTORS)
    return tuple(_extra(name, [one for one in stated if _extra_of(one) == name]) for name in names)


def _extra(name: str, requirements: Iterable[Requirement]) -> Extra:
    wanted = list(requirements)
    missing = tuple(str(one.name) for one in wanted if not _satisfied(one))
    return Extra(name, _SERVES.get(name) or ", ".join(one.name for one in wanted), missing)


def _extra_of(requirement: Requirement) -> str | None:
    """The extra that a requirement belongs to; None for what is always needed."""
    marker = str(requirement.marker or "")
    _, found, rest = marker.partition("extra == ")
    return rest.strip("\"' ") if found else None


def _satisfied(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False

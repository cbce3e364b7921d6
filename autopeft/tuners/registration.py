"""Registers our tuners with peft: the one place that touches peft's internals.

`peft.utils.register_peft_method` accepts only names that are members of the enum `PeftType`, and peft has
no entry point for outside methods, so a member is added at run time. Saving and loading became generic in
peft 0.20 (the state-dict logic moved into the tuner class), which is why that is the least version.
"""

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from packaging.version import Version

from autopeft.errors import MissingDependencyError

LEAST_PEFT = "0.20"


def own_methods() -> dict[str, ModuleType]:
    """Method name -> package: every folder beside this file, each naming its `config_cls` and `model_cls`."""
    folders = iter_modules([str(Path(__file__).parent)])
    return {found.name: import_module(f"autopeft.tuners.{found.name}") for found in folders if found.ispkg}


def register_all() -> None:
    """Register every tuner of `own_methods` with peft; does nothing for those already there.

    Raises:
        MissingDependencyError: peft is too old to save and load methods from outside.
    """
    check_peft_version(version("peft"))
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
    from peft.utils import register_peft_method

    # The configs name their own peft type, so all members must be there before a package is imported.
    for found in iter_modules([str(Path(__file__).parent)]):
        if found.ispkg:
            add_peft_type(found.name.upper())
    for name, package in own_methods().items():
        if name.upper() not in PEFT_TYPE_TO_TUNER_MAPPING:
            register_peft_method(name=name, config_cls=package.config_cls, model_cls=package.model_cls)


def check_peft_version(installed: str) -> None:
    """Refuse a peft that cannot carry methods from outside.

    Args:
        installed: version of peft.

    Raises:
        MissingDependencyError: it is older than `LEAST_PEFT`.
    """
    if Version(installed) < Version(LEAST_PEFT):
        raise MissingDependencyError(
            f"peft {installed} cannot carry autopeft's own tuners, which need peft {LEAST_PEFT} or newer",
            hint=f"pip install 'peft>={LEAST_PEFT}'",
        )


def add_peft_type(name: str) -> None:
    """Add the member `name` to peft's enum `PeftType`, unless it has it.

    Args:
        name: in capitals, such as `HOULSBY`.
    """
    from peft.utils import PeftType

    if name in PeftType.__members__:
        return
    # Python has no public way to extend an enum; this is what its metaclass does for each member.
    member = str.__new__(PeftType, name)
    member._name_ = name
    member._value_ = name
    PeftType._member_map_[name] = member
    PeftType._value2member_map_[name] = member
    PeftType._member_names_.append(name)
    type.__setattr__(PeftType, name, member)

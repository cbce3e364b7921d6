"""Registers our tuners with peft: the one place that touches peft's internals.

`peft.utils.register_peft_method` accepts only names that are members of the enum `PeftType`, and peft has
no entry point for outside methods, so a member is added at run time. Saving and loading became generic in
peft 0.20 (the state-dict logic moved into the tuner class), which is why that is the least version.
"""

from importlib import import_module
from importlib.metadata import version

from packaging.version import Version

from autopeft.errors import MissingDependencyError

LEAST_PEFT = "0.20"
# name -> (module with config and model, config class, model class)
OWN_METHODS = {
    "houlsby": ("autopeft.tuners.houlsby", "HoulsbyConfig", "HoulsbyModel"),
    "bitfit": ("autopeft.tuners.bitfit", "BitFitConfig", "BitFitModel"),
}


def register_all() -> None:
    """Register every tuner of `OWN_METHODS` with peft; does nothing for those already there.

    Raises:
        MissingDependencyError: peft is too old to save and load methods from outside.
    """
    check_peft_version(version("peft"))
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
    from peft.utils import register_peft_method

    for name, (module_name, config_name, model_name) in OWN_METHODS.items():
        add_peft_type(name.upper())
        if name.upper() in PEFT_TYPE_TO_TUNER_MAPPING:
            continue
        module = import_module(module_name)
        register_peft_method(name=name, config_cls=getattr(module, config_name), model_cls=getattr(module, model_name))


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

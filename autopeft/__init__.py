"""autopeft: which parameter-efficient fine-tuning method, on the GPU you have.

Importing this package loads no torch; each public name is imported when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autopeft.api.estimate import estimate
    from autopeft.api.estimators import AutoPeftClassifier, AutoPeftGenerator, AutoPeftRegressor
    from autopeft.api.recommend import recommend
    from autopeft.api.run import SearchResult
    from autopeft.api.search import search
    from autopeft.domain.callbacks import Callback

__version__ = "0.1.0"
__all__ = [
    "AutoPeftClassifier",
    "AutoPeftGenerator",
    "AutoPeftRegressor",
    "Callback",
    "SearchResult",
    "__version__",
    "estimate",
    "recommend",
    "search",
]

_HOMES = {
    "AutoPeftClassifier": "autopeft.api.estimators",
    "AutoPeftGenerator": "autopeft.api.estimators",
    "AutoPeftRegressor": "autopeft.api.estimators",
    "Callback": "autopeft.domain.callbacks",
    "SearchResult": "autopeft.api.run",
    "estimate": "autopeft.api.estimate",
    "recommend": "autopeft.api.recommend",
    "search": "autopeft.api.search",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'autopeft' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `autopeft.recommend` and `autopeft.search` the functions.

    Importing a sub-package of the same name would otherwise put the sub-package in their place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

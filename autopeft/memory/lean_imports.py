"""Imports torch, transformers and peft without what only compilers and clusters need, in a process of our own.

Nothing is compiled, distributed or solved in a trace, yet two fifths of the time that these libraries take to import go
into TorchInductor, TorchDynamo, DTensor, SymPy and SciPy. What is told to the libraries here holds for the whole
process: only a process that does nothing but trace may call this.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any, cast

from autopeft.memory.collector import without_collector

_DYNAMO = "torch._dynamo"


def import_for_traces() -> None:
    """Import all that a trace needs; call it before anything else has imported torch."""
    with without_collector():
        import torch
        import torch.distributed

        vars(torch)["compile"] = _as_it_is
        vars(torch.distributed)["is_available"] = _never
        vars(torch)["_dynamo"] = sys.modules[_DYNAMO] = _dynamo_put_off(list(torch.__path__))
        with _absent("scipy"):
            import autopeft.memory.pricing  # noqa: F401 - imported to be there


class _PutOff(ModuleType):
    """A module that is loaded when something is asked of it that it was not given beforehand."""

    def __getattr__(self, name: str) -> Any:
        load = None if name.startswith("__") else vars(self).pop("_load", None)
        if load is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        load(self)
        return getattr(self, name)


def _dynamo_put_off(torch_path: list[str]) -> ModuleType:
    """TorchDynamo as far as code that is never compiled calls it: marks on functions, and breaks in a graph."""
    spec = PathFinder.find_spec(_DYNAMO, torch_path)
    if spec is None or spec.loader is None:
        raise ImportError(f"torch has no {_DYNAMO}")
    module = module_from_spec(spec)
    module.__class__ = _PutOff
    marks = dict.fromkeys(("disable", "assume_constant_result", "allow_in_graph"), _as_it_is)
    vars(module).update(marks, graph_break=_nothing, _load=spec.loader.exec_module)
    return module


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """`package` cannot be imported in between, as if it were not installed."""
    if package in sys.modules:
        yield
        return
    # Python's own mark of a module that cannot be found, which the type of `sys.modules` leaves out.
    cast(dict[str, object], sys.modules)[package] = None
    try:
        yield
    finally:
        del sys.modules[package]


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """A decorator that changes nothing, with or without arguments of its own."""
    return _as_it_is if function is None else function


def _never() -> bool:
    return False


def _nothing(*_: Any, **__: Any) -> None:
    """No graph is being made that could be broken."""

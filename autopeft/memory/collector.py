"""Python's garbage collector, held back: for a trace, which must free by reference counts alone, and for imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """No collection in between.

    In a trace, storages are freed when their last reference goes, the same in each run. While torch and transformers
    are imported, a tenth of the time would go into looking through objects that stay.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

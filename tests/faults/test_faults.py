"""Each kind of fault once: nothing is lost, nothing is mixed, and `resume` gives what nobody had disturbed.

`python -m benchmarks.faults` does it hundreds of times, at other moments each.
"""

from collections.abc import Iterator

import pytest

from tests.faults.registry import NotHere, fault_kinds
from tests.faults.scene import Workshop

KINDS = fault_kinds()
SEED = 1


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    yield Workshop(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", KINDS)
def test_no_fault_loses_or_mixes_anything(name: str, workshop: Workshop) -> None:
    try:
        KINDS[name].happen(workshop, SEED)
    except NotHere as reason:
        pytest.skip(str(reason))

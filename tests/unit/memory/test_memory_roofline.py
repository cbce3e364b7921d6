"""Seconds of a step from its work: each resource bounds it, and none makes it slower by being faster."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopeft.catalog.load import load_catalog
from autopeft.domain.hardware import HardwareSpec
from autopeft.domain.work import STEP_PHASES, Operation, StepWork
from autopeft.memory.roofline import seconds_per_step

L40S = load_catalog().gpu("L40S")
BIG_PRODUCT = Operation("matmul", "bfloat16", 10**13, 10**6)
BIG_COPY = Operation("other", moved_bytes=10**10)
TINY = Operation("other", moved_bytes=64)


def work(forward: dict[Operation, int], optimizer: dict[Operation, int] | None = None) -> StepWork:
    return StepWork({"forward": forward, "backward": {}, "optimizer": optimizer or {}})


def faster(hardware: HardwareSpec, **factors: float) -> HardwareSpec:
    flops = {name: rate * factors.get("flops", 1.0) for name, rate in hardware.flops_per_second.items()}
    return replace(
        hardware,
        flops_per_second=flops,
        bandwidth_bytes_per_second=hardware.bandwidth_bytes_per_second * factors.get("bandwidth", 1.0),
        launch_seconds=hardware.launch_seconds / factors.get("host", 1.0),
    )


def test_a_large_product_takes_its_operations_by_what_the_device_reaches() -> None:
    expected = 10**13 / (362.05e12 * L40S.achieved_share["bfloat16"])
    assert seconds_per_step(work({BIG_PRODUCT: 1}), L40S) == pytest.approx(expected)


def test_a_large_copy_takes_its_bytes_by_the_bandwidth() -> None:
    expected = 10**10 / (864e9 * L40S.achieved_share["bandwidth"])
    assert seconds_per_step(work({BIG_COPY: 1}), L40S) == pytest.approx(expected)


def test_many_small_kernels_take_the_hosts_time() -> None:
    assert seconds_per_step(work({TINY: 1000}), L40S) == pytest.approx(1000 * L40S.launch_seconds)
    assert seconds_per_step(work({TINY: 1000}), faster(L40S, flops=2, bandwidth=2)) == pytest.approx(
        1000 * L40S.launch_seconds
    )


def test_the_host_runs_ahead_of_a_busy_device_within_a_step() -> None:
    alone = seconds_per_step(work({BIG_PRODUCT: 1}), L40S)
    both = seconds_per_step(work({BIG_PRODUCT: 1}, {TINY: 100}), L40S)
    # The host launches the update while the product still runs.
    assert both - alone == pytest.approx(100 * L40S.kernel_seconds)


def test_each_pass_is_paid_and_the_update_once() -> None:
    step = work({BIG_PRODUCT: 1}, {BIG_COPY: 1})
    once = seconds_per_step(work({BIG_PRODUCT: 1}), L40S)
    assert seconds_per_step(step, L40S, passes=3) == pytest.approx(2 * once + seconds_per_step(step, L40S))


def test_no_work_takes_no_time() -> None:
    assert seconds_per_step(StepWork({}), L40S) == 0


@given(
    st.dictionaries(
        st.builds(
            Operation,
            st.sampled_from(["matmul", "attention", "other", "foreach", "serial", "sync", "host"]),
            st.sampled_from(["float32", "bfloat16", "float16"]),
            st.integers(0, 10**14),
            st.integers(0, 10**11),
        ),
        st.integers(1, 5000),
        max_size=8,
    ),
    st.sampled_from(STEP_PHASES),
    st.sampled_from(["flops", "bandwidth", "host"]),
    st.floats(1, 100),
)
def test_a_faster_device_is_never_slower_and_more_work_never_faster(
    counts: dict[Operation, int], phase: str, resource: str, factor: float
) -> None:
    step = StepWork({phase: counts})
    seconds = seconds_per_step(step, L40S)
    assert seconds_per_step(step, faster(L40S, **{resource: factor})) <= seconds * (1 + 1e-9)
    more = StepWork({phase: {one: count + 1 for one, count in counts.items()}})
    assert seconds_per_step(more, L40S) >= seconds


def test_pricing_known_work_imports_no_torch() -> None:
    script = (
        "import sys; from autopeft.memory.roofline import seconds_per_step; from autopeft.domain.work import StepWork; "
        "from autopeft.catalog.load import load_catalog; seconds_per_step(StepWork({}), load_catalog().gpu('T4')); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

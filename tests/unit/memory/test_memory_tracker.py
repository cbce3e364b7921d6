import pytest
import torch

from autopeft.memory.measure import measure_step
from autopeft.memory.stream import ALLOC, FREE, find_peak
from autopeft.memory.tracker import StorageTracker


def _peak(device: str) -> int:
    with StorageTracker(device=device) as tracker:
        tracker.enter("forward")
        first = torch.empty(1000, dtype=torch.float32, device=device)
        second = first + 1
        del first
        third = second * 2
        del second, third
    return find_peak(tracker.finish(), int).peak_bytes


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_peak_is_what_lives_at_once(device: str) -> None:
    assert _peak(device) == 8000


def test_views_cost_nothing_and_a_storage_lives_as_long_as_its_last_view() -> None:
    with StorageTracker() as tracker:
        whole = torch.empty(64, 64, device="meta")
        part = whole[3:].t()
        del whole
        events_with_a_view = list(tracker.stream.events)
        del part
    assert [kind for kind, _ in events_with_a_view] == [ALLOC]
    assert [kind for kind, _ in tracker.finish().events] == [ALLOC, FREE]


def test_cuda_rounding_takes_512_byte_steps() -> None:
    with StorageTracker() as tracker:
        kept = torch.empty(129, dtype=torch.float32, device="meta")
    assert kept.numel() == 129
    stream = tracker.finish()
    assert find_peak(stream, int).peak_bytes == 516
    assert find_peak(stream).peak_bytes == 1024


def test_flops_of_a_matrix_product() -> None:
    left, right = torch.empty(8, 16, device="meta"), torch.empty(16, 32, device="meta")
    with StorageTracker() as tracker:
        left @ right
    assert tracker.finish().step_flops == 2 * 8 * 16 * 32


@pytest.mark.parametrize("padded", [True, False])
def test_the_question_whether_all_is_attended_is_answered(padded: bool) -> None:
    mask = torch.ones(2, 3, dtype=torch.bool, device="meta")
    with StorageTracker(padded=padded):
        assert bool(mask.all()) is not padded
        assert not bool(mask.any())
        assert torch.ones((), device="meta").item() == 0.0


def test_measured_step_counts_what_it_reads_and_makes() -> None:
    weight = torch.ones(256, 256)
    untouched = torch.ones(1024)

    def step() -> None:
        out = weight @ weight
        out.sum()

    assert measure_step(step) == 2 * 256 * 256 * 4 + 4
    assert measure_step(step, [untouched]) == 2 * 256 * 256 * 4 + 4 + 4096

from autopeft.memory.allocator import CachingAllocator, predicted_reserved_bytes, replay
from autopeft.memory.stream import ALLOC, FREE, PHASE, PHASES, EventStream

MIB = 2**20


def test_small_requests_share_a_two_mebibyte_segment() -> None:
    allocator = CachingAllocator()
    for _ in range(4):
        allocator.allocate(MIB // 2)
    assert allocator.reserved_bytes == 2 * MIB
    allocator.allocate(1)
    assert allocator.reserved_bytes == 4 * MIB


def test_middle_requests_share_a_twenty_mebibyte_segment() -> None:
    allocator = CachingAllocator()
    allocator.allocate(2 * MIB)
    allocator.allocate(9 * MIB)
    assert allocator.reserved_bytes == 20 * MIB


def test_large_requests_get_a_segment_in_two_mebibyte_steps() -> None:
    allocator = CachingAllocator()
    allocator.allocate(11 * MIB)
    assert allocator.reserved_bytes == 12 * MIB


def test_a_freed_block_is_used_again_and_the_smallest_that_fits_wins() -> None:
    allocator = CachingAllocator()
    large, small = allocator.allocate(64 * MIB), allocator.allocate(32 * MIB)
    allocator.release(large)
    allocator.release(small)
    assert allocator.allocate(30 * MIB).size == 30 * MIB
    assert allocator.allocate(64 * MIB) is large
    assert allocator.reserved_bytes == 96 * MIB


def test_freed_neighbours_merge() -> None:
    allocator = CachingAllocator()
    halves = [allocator.allocate(32 * MIB) for _ in range(1)]
    allocator.release(halves[0])
    parts = [allocator.allocate(16 * MIB), allocator.allocate(16 * MIB)]
    for part in parts:
        allocator.release(part)
    allocator.allocate(32 * MIB)
    assert allocator.reserved_bytes == 32 * MIB


def test_a_fragmented_cache_reserves_more_than_lives_and_emptying_returns_whole_segments() -> None:
    allocator = CachingAllocator()
    first = allocator.allocate(32 * MIB)
    allocator.release(first)
    kept = allocator.allocate(16 * MIB)
    allocator.allocate(32 * MIB)
    assert allocator.reserved_bytes == 64 * MIB
    allocator.release(kept)
    allocator.empty_cache()
    assert allocator.reserved_bytes == 32 * MIB
    assert allocator.peak_reserved_bytes == 64 * MIB


def test_replay_empties_the_cache_before_the_steady_step() -> None:
    forward, optimizer = (PHASE, PHASES.index("forward")), (PHASE, PHASES.index("optimizer"))
    first_step = [forward, (ALLOC, 0), (FREE, 0), optimizer]
    second_step = [forward, (ALLOC, 1), (FREE, 1), optimizer]
    stream = EventStream([40 * MIB, 64 * MIB], [6, 6], first_step + second_step)
    assert replay(stream) == 64 * MIB


def test_a_long_run_reserves_a_little_more_than_the_replay() -> None:
    stream = EventStream([400 * MIB], [6], [(PHASE, PHASES.index("forward")), (ALLOC, 0)])
    assert replay(stream) == 400 * MIB
    assert 1.003 < predicted_reserved_bytes(stream) / replay(stream) < 1.005

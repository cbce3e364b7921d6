"""A replay of an event stream through a model of PyTorch's CUDA caching allocator.

The rules and their numbers are those of c10/cuda/CUDACachingAllocator.cpp (torch 2.x, default settings): sizes in
512 B steps; requests up to 1 MiB come from 2 MiB segments; up to 10 MiB from 20 MiB segments; above from segments
of their own, in 2 MiB steps. A free block is the smallest that fits; what remains of it is split off when it is at
least 512 B (small pool) or above 1 MiB (large pool); freed neighbours in a segment are merged.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass

from autopeft.memory.stream import ALLOC, FREE, PHASE, PHASES, EventStream, rounded_to_512

_MIB = 2**20
_SMALL_REQUEST = _MIB
_SMALL_SEGMENT = 2 * _MIB
_LARGE_REQUEST = 10 * _MIB
_LARGE_SEGMENT = 20 * _MIB
_ROUND_SEGMENT = 2 * _MIB
# A run of thousands of steps fragments its segments more than the two that are replayed: by 0.37 % (torch 2.13), the
# mean of two rows of search_spaces/evidence/peft_metamath_measured.csv, lora rank32 and vera.
_LONG_RUN_SHARE = 0.0037


@dataclass(slots=True, eq=False)
class _Block:
    size: int
    address: int
    small: bool
    free: bool = False
    previous: "_Block | None" = None
    following: "_Block | None" = None


class CachingAllocator:
    """Segments and blocks of the CUDA caching allocator.

    Attributes:
        reserved_bytes: of all segments now.
        peak_reserved_bytes: the most that was ever reserved.
    """

    def __init__(self) -> None:
        self.reserved_bytes = 0
        self.peak_reserved_bytes = 0
        self._next_address = 0
        self._pools: dict[bool, list[tuple[int, int, _Block]]] = {True: [], False: []}

    def allocate(self, size_bytes: int) -> _Block:
        """A block of at least `size_bytes`."""
        size = max(512, rounded_to_512(size_bytes))
        small = size <= _SMALL_REQUEST
        pool = self._pools[small]
        index = bisect_left(pool, (size, -1))
        block = pool.pop(index)[2] if index < len(pool) else self._new_segment(size, small)
        block.free = False
        remaining = block.size - size
        if remaining >= 512 if small else remaining > _SMALL_REQUEST:
            self._split(block, size)
        return block

    def release(self, block: _Block) -> None:
        """Give `block` back to the cache, merged with its free neighbours."""
        block.free = True
        if block.previous is not None and block.previous.free:
            self._remove(block.previous)
            block = self._merge(block.previous, block)
        if block.following is not None and block.following.free:
            self._remove(block.following)
            block = self._merge(block, block.following)
        insort(self._pools[block.small], (block.size, block.address, block))

    def empty_cache(self) -> None:
        """Return every segment that is wholly free."""
        for small, pool in self._pools.items():
            whole = [e for e in pool if e[2].previous is None and e[2].following is None]
            self.reserved_bytes -= sum(size for size, _, _ in whole)
            self._pools[small] = [e for e in pool if e[2].previous is not None or e[2].following is not None]

    def _new_segment(self, size: int, small: bool) -> _Block:
        if small:
            segment = _SMALL_SEGMENT
        elif size < _LARGE_REQUEST:
            segment = _LARGE_SEGMENT
        else:
            segment = (size + _ROUND_SEGMENT - 1) // _ROUND_SEGMENT * _ROUND_SEGMENT
        self.reserved_bytes += segment
        self.peak_reserved_bytes = max(self.peak_reserved_bytes, self.reserved_bytes)
        block = _Block(segment, self._next_address, small)
        self._next_address += segment
        return block

    def _split(self, block: _Block, size: int) -> None:
        rest = _Block(block.size - size, block.address + size, block.small, True, block, block.following)
        if rest.following is not None:
            rest.following.previous = rest
        block.following, block.size = rest, size
        insort(self._pools[rest.small], (rest.size, rest.address, rest))

    def _merge(self, left: _Block, right: _Block) -> _Block:
        left.size += right.size
        left.free = True
        left.following = right.following
        if left.following is not None:
            left.following.previous = left
        return left

    def _remove(self, block: _Block) -> None:
        pool = self._pools[block.small]
        del pool[bisect_left(pool, (block.size, block.address))]


def predicted_reserved_bytes(stream: EventStream) -> int:
    """What `torch.cuda.max_memory_reserved()` says after a long run of such steps: the replay and what time adds."""
    return round(replay(stream) * (1 + _LONG_RUN_SHARE))


def replay(stream: EventStream) -> int:
    """Peak reserved bytes of `stream`, the last step starting from an emptied cache.

    So little suffices: an allocation that the device refuses makes PyTorch empty its cache and try again.
    """
    allocator = CachingAllocator()
    blocks: dict[int, _Block] = {}
    last_step = _last_step(stream)
    for position, (kind, number) in enumerate(stream.events):
        if kind == ALLOC:
            blocks[number] = allocator.allocate(stream.sizes[number])
        elif kind == FREE:
            allocator.release(blocks.pop(number))
        elif position == last_step:
            allocator.empty_cache()
    return allocator.peak_reserved_bytes


def _last_step(stream: EventStream) -> int:
    """Position of the forward pass that follows the last optimizer update but one."""
    forward, optimizer = PHASES.index("forward"), PHASES.index("optimizer")
    found, updated = -1, False
    for position, (kind, number) in enumerate(stream.events):
        if kind == PHASE and number == optimizer:
            updated = True
        elif kind == PHASE and number == forward and updated:
            found, updated = position, False
    return found

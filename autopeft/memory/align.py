"""Two event streams side by side: what both have, and what the deeper one repeats."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autopeft.memory.stream import ALLOC, FREE, PHASE, EventStream

# Kind, label or phase, rank of a freed storage among the live ones of its class (negative: from the newest).
Key = tuple[int, int, int]
Token = tuple[Key, int]
_FIRST_CHUNK = 64
# How much of a repeated block, at its beginning, may be unlike what stands before it.
_UNPROVEN_SHARE = 1 / 3


class Kept(NamedTuple):
    """Events that both depths share; their bytes at either depth differ where a tensor spans all layers."""

    shallow: list[Token]
    deep: list[Token]


class Inserted(NamedTuple):
    """Events that the deeper stream has once more than the shallow one."""

    block: list[Token]


def tokens_of(stream: EventStream) -> list[Token]:
    """Events without storage numbers, so that they read alike at every depth: key and bytes of each."""
    live: dict[tuple[int, int], list[int]] = defaultdict(list)
    tokens: list[Token] = []
    for kind, number in stream.events:
        if kind == PHASE:
            tokens.append(((PHASE, number, 0), 0))
            continue
        label, size = stream.labels[number], stream.sizes[number]
        peers = live[label, size]
        rank = 0
        if kind == ALLOC:
            peers.append(number)
        else:
            oldest = peers.index(number)
            newest = oldest - len(peers)
            rank = newest if -newest <= oldest + 1 else oldest
            peers.pop(oldest)
        tokens.append(((kind, label, rank), size))
    return tokens


def aligned(shallow: list[Token], deep: list[Token]) -> list[Kept | Inserted] | None:
    """The deep stream as the shallow one plus insertions, each a copy of what stands before it.

    Returns:
        The parts in order, or None where the two differ in another way.
    """
    pair = _Pair(shallow, deep)
    parts: list[Kept | Inserted] = []
    i = j = 0
    while i < len(shallow) or j < len(deep):
        same = pair.common(i, j)
        if same:
            parts.append(Kept(shallow[i : i + same], deep[j : j + same]))
            i, j = i + same, j + same
            continue
        length, follows = pair.insertion(i, j)
        if pair.resized(i, j) and pair.agreement(i + 1, j + 1) >= follows:
            parts.append(Kept(shallow[i : i + 1], deep[j : j + 1]))
            i, j = i + 1, j + 1
        elif length:
            parts.append(Inserted(deep[j : j + length]))
            j += length
        else:
            return None
    return parts


class _Pair:
    """Two token streams as numbers, compared by whole slices."""

    def __init__(self, shallow: list[Token], deep: list[Token]) -> None:
        numbers: dict[Token, int] = {}
        keys: dict[Key, int] = {}
        self._shallow = _numbered([(token, token[0]) for token in shallow], numbers, keys)
        self._deep = _numbered([(token, token[0]) for token in deep], numbers, keys)
        self._tokens = deep

    def common(self, i: int, j: int) -> int:
        """How many tokens agree from `i` in the shallow and `j` in the deep stream on."""
        left, right = self._shallow[0][i:], self._deep[0][j:]
        longest, start, chunk = min(len(left), len(right)), 0, _FIRST_CHUNK
        while start < longest:
            end = min(start + chunk, longest)
            differ = left[start:end] != right[start:end]
            first = int(differ.argmax())
            if differ[first]:
                return start + first
            start, chunk = end, 2 * chunk
        return longest

    def agreement(self, i: int, j: int) -> int:
        """How many tokens agree when one of them may differ in bytes."""
        count = self.common(i, j)
        if self.resized(i + count, j + count):
            count += 1 + self.common(i + count + 1, j + count + 1)
        return count

    def resized(self, i: int, j: int) -> bool:
        """Whether the two events differ in bytes alone."""
        shallow, deep = self._shallow[1], self._deep[1]
        return i < len(shallow) and j < len(deep) and bool(shallow[i] == deep[j])

    def insertion(self, i: int, j: int) -> tuple[int, int]:
        """Length of the repeated block at `j` after which the streams agree longest, and how long they then do."""
        exact = self._best(i, j, self._copies(j))
        return exact if exact[0] else self._best(i, j, self._near_copies(i, j))

    def _best(self, i: int, j: int, lengths: Iterable[int]) -> tuple[int, int]:
        best = (0, -1)
        for length in lengths:
            follows = self.agreement(i, j + length)
            ended = i == len(self._shallow[0]) and j + length == len(self._deep[0])
            if follows > best[1] and (follows or ended):
                best = (length, follows)
        return best

    def _copies(self, j: int) -> Iterator[int]:
        """Lengths of the blocks at `j` that are copies of what stands right before them."""
        deep = self._deep[0]
        longest = min(j, len(deep) - j)
        if longest == 0:
            return
        before = np.flatnonzero(deep[j - longest : j] == deep[j])[::-1]
        for length in (longest - before).tolist():
            if np.array_equal(deep[j : j + length], deep[j - length : j]):
                yield length

    def _near_copies(self, i: int, j: int) -> Iterator[int]:
        """Lengths of the blocks at `j` that are copies but for how they begin.

        The backward pass starts with the last layer, whose first events differ from those of the layers below it.
        """
        deep = self._deep[0]
        longest = min(j, len(deep) - j - 1)
        if longest <= 0 or i >= len(self._shallow[0]):
            return
        after = np.flatnonzero(deep[j + 1 : j + 1 + longest] == self._shallow[0][i]) + 1
        for length in after.tolist():
            differ = np.flatnonzero(deep[j : j + length] != deep[j - length : j])
            unproven = int(differ[-1]) + 1 if len(differ) else 0
            if unproven <= _UNPROVEN_SHARE * length and self._ranks_hold(j, length, unproven):
                yield length

    def _ranks_hold(self, j: int, length: int, unproven: int) -> bool:
        """Whether the block's unproven frees mean the same storage each time that it is repeated.

        Counted from the newest they do; counted from the oldest they do if as many of the class live after the block
        as before it.
        """
        block = self._tokens[j : j + length]
        change: Counter[tuple[int, int]] = Counter()
        for (kind, label, _), size in block:
            change[label, size] += {ALLOC: 1, FREE: -1}.get(kind, 0)
        return not any(
            kind == FREE and rank >= 0 and change[label, size] for (kind, label, rank), size in block[:unproven]
        )


def _numbered(
    tokens: list[tuple[Token, Key]], numbers: dict[Token, int], keys: dict[Key, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens, and their keys alone, as numbers: equal ones the same."""
    return (
        np.array([numbers.setdefault(token, len(numbers)) for token, _ in tokens], dtype=np.int64),
        np.array([keys.setdefault(key, len(keys)) for _, key in tokens], dtype=np.int64),
    )

"""From traces of two shallow models to the event stream of the deep one.

A model of n equal layers gives a stream in which a few blocks of events repeat: once per layer in the forward pass,
the backward pass and the optimizer's update. Two streams that differ by one layer show each block as an insertion;
repeating the insertions gives the stream at any depth. A peak is never extrapolated: it is found in the new stream.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from autopeft.memory.stream import ALLOC, FREE, PHASE, EventStream

# Most models repeat from two layers on; those with more going on between layers from three or four.
_TRIED_DEPTHS = (2, 3, 4)
# kind, label or phase, rank of a freed storage among the live ones of its class (negative: from the newest)
_Key = tuple[int, int, int]
_Token = tuple[_Key, int]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Events that both depths share; bytes at either depth (they differ where a tensor spans all layers)."""

    shallow: list[_Token]
    deep: list[_Token]


@dataclass(frozen=True, slots=True)
class _Inserted:
    """Events of one more layer."""

    block: list[_Token]


def extrapolate(shallow: EventStream, deeper: EventStream, extra_layers: int) -> EventStream | None:
    """The stream of a model that is `extra_layers` deeper than `deeper`, which is one layer deeper than `shallow`.

    Returns:
        The stream, or None where the two do not differ by repeated blocks alone.
    """
    parts = _align(_tokens(shallow), _tokens(deeper))
    if parts is None:
        return None
    writer = _Writer(extra_layers)
    for part in parts:
        if isinstance(part, _Kept):
            for (key, small), (_, large) in zip(part.shallow, part.deep, strict=True):
                writer.write(key, small, large)
        else:
            for key, size in part.block * (extra_layers + 1):
                writer.write(key, size, size)
    flops = deeper.step_flops + extra_layers * (deeper.step_flops - shallow.step_flops)
    writer.stream.step_flops = flops
    return writer.stream


def repeat_layers(trace: Callable[[int], EventStream], layers: int) -> tuple[EventStream, int] | None:
    """The stream of a model with `layers` equal layers, from the fewest traced layers that show the repetition.

    Args:
        trace: gives the stream of the model with so many layers.
        layers: of the whole model; more than the deepest trial.

    Returns:
        The stream and the greatest depth that was traced, or None where nothing repeats.
    """
    shallow = trace(_TRIED_DEPTHS[0])
    for depth in _TRIED_DEPTHS[1:]:
        deeper = trace(depth)
        stream = extrapolate(shallow, deeper, layers - depth)
        if stream is not None:
            return stream, depth
        shallow = deeper
    return None


class _Writer:
    """Numbers storages anew and resolves which one a free means."""

    def __init__(self, extra_layers: int) -> None:
        self.stream = EventStream()
        self._extra_layers = extra_layers
        self._live: dict[tuple[int, int, int], list[int]] = defaultdict(list)

    def write(self, key: _Key, small: int, large: int) -> None:
        kind, label, rank = key
        if kind == PHASE:
            self.stream.events.append((PHASE, label))
            return
        live = self._live[label, small, large]
        if kind == FREE:
            self.stream.events.append((FREE, live.pop(rank)))
            return
        number = len(self.stream.sizes)
        live.append(number)
        self.stream.sizes.append(large + self._extra_layers * (large - small))
        self.stream.labels.append(label)
        self.stream.events.append((ALLOC, number))


def _tokens(stream: EventStream) -> list[_Token]:
    """Events without storage numbers, so that they read alike at every depth."""
    live: dict[tuple[int, int], list[int]] = defaultdict(list)
    tokens: list[_Token] = []
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


def _align(shallow: list[_Token], deep: list[_Token]) -> list[_Kept | _Inserted] | None:
    """The deep stream as the shallow one plus insertions, each a copy of what stands before it."""
    parts: list[_Kept | _Inserted] = []
    i = j = 0
    while i < len(shallow) or j < len(deep):
        same = _common(shallow, i, deep, j)
        if same:
            parts.append(_Kept(shallow[i : i + same], deep[j : j + same]))
            i, j = i + same, j + same
            continue
        length, follows = _insertion(shallow, i, deep, j)
        if _resized(shallow, i, deep, j) and _agreement(shallow, i + 1, deep, j + 1) >= follows:
            parts.append(_Kept(shallow[i : i + 1], deep[j : j + 1]))
            i, j = i + 1, j + 1
        elif length:
            parts.append(_Inserted(deep[j : j + length]))
            j += length
        else:
            return None
    return parts


def _insertion(shallow: list[_Token], i: int, deep: list[_Token], j: int) -> tuple[int, int]:
    """Length of the repeated block at `j` after which the streams agree longest, and how long they then do."""
    best = (0, -1)
    for length in range(1, min(j, len(deep) - j) + 1):
        if deep[j] != deep[j - length] or deep[j : j + length] != deep[j - length : j]:
            continue
        follows = _agreement(shallow, i, deep, j + length)
        ended = i == len(shallow) and j + length == len(deep)
        if follows > best[1] and (follows or ended):
            best = (length, follows)
    return best


def _common(left: list[_Token], i: int, right: list[_Token], j: int) -> int:
    """How many tokens agree from `i` and `j` on."""
    count = 0
    for one, other in zip(left[i:], right[j:], strict=False):
        if one != other:
            break
        count += 1
    return count


def _agreement(left: list[_Token], i: int, right: list[_Token], j: int) -> int:
    """How many tokens agree when one of them may differ in bytes."""
    count = _common(left, i, right, j)
    if _resized(left, i + count, right, j + count):
        count += 1 + _common(left, i + count + 1, right, j + count + 1)
    return count


def _resized(shallow: list[_Token], i: int, deep: list[_Token], j: int) -> bool:
    """Whether the two events differ in bytes alone."""
    return i < len(shallow) and j < len(deep) and shallow[i][0] == deep[j][0]

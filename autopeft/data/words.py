"""Words and spans of a text, and the tags that say the same: `B-X` begins an entity of type X, `I-X` goes on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autopeft.data.cells import Span

_WORD = re.compile(r"\w+|[^\w\s]")
OUTSIDE = "O"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A text as words with tags.

    Attributes:
        words: in order.
        tags: one a word.
        places: first character of every word, and the first behind it.
        misfits: spans that do not begin and end where words do, and were widened, or that overlap and were left out.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    misfits: int


def split_words(text: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """The words of a text, each sign of punctuation being one, and where they stand."""
    found = list(_WORD.finditer(text))
    return tuple(match.group() for match in found), tuple(match.span() for match in found)


def tagged(text: str, spans: Iterable[Span]) -> Tagged:
    """The words of a text, tagged by its spans."""
    words, places = split_words(text)
    tags, misfits = [OUTSIDE] * len(words), 0
    for span in spans:
        inside = [i for i, (start, end) in enumerate(places) if start < span.end and end > span.start]
        if not inside or any(tags[i] != OUTSIDE for i in inside):
            misfits += 1
            continue
        misfits += (places[inside[0]][0], places[inside[-1]][1]) != (span.start, span.end)
        tags[inside[0]] = f"B-{span.label}"
        tags[inside[0] + 1 : inside[-1] + 1] = [f"I-{span.label}"] * (len(inside) - 1)
    return Tagged(words, tuple(tags), places, misfits)


def spans_of(tags: Sequence[str], places: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """The spans that tags stand for; an `I-X` that goes on with nothing begins a span.

    Args:
        tags: one a word.
        places: of the words in the text, as `split_words` gives them.
    """
    spans: list[Span] = []
    for index, tag in enumerate(tags):
        place, label = tag[:2], tag[2:]
        if place == "I-" and index and spans and tags[index - 1][2:] == label and tags[index - 1] != OUTSIDE:
            spans[-1] = Span(spans[-1].start, places[index][1], label)
        elif place in ("B-", "I-"):
            spans.append(Span(*places[index], label))
    return tuple(spans)

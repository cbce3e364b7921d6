"""True answers that arrays of numbers cannot hold, kept as JSON beside them."""

import json
from collections.abc import Iterable
from typing import Any

from autopeft.data.ragged_writer import RaggedWriter
from autopeft.data.task_data import Ragged


def references(answers: Iterable[Any]) -> Ragged:
    """One answer of plain JSON values a row, as UTF-8 bytes; `EncodedSplit.reference` reads it."""
    writer = RaggedWriter()
    for answer in answers:
        writer.add([as_bytes(answer)])
    return writer.close()


def as_bytes(answer: Any) -> bytes:
    """An answer of plain JSON values in UTF-8."""
    return json.dumps(answer).encode()

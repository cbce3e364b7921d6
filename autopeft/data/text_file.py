"""Plain text: a document a line, or one a file."""

from collections.abc import Iterator
from pathlib import Path

from autopeft.data.bad_rows import BadRows
from autopeft.data.opening import lines_of, open_bytes, whole_text
from autopeft.data.records import Record


def text_records(path: Path, documents: str, bad: BadRows) -> Iterator[Record]:
    """Rows with the one column `text`; blank lines are no rows.

    Raises:
        DataError: the file is not UTF-8, or too large to be one document.
    """
    if documents == "file":
        text = whole_text(path, bad)
        if text.strip():
            yield Record(1, {"text": text.rstrip("\r")}, len(text))
        return
    with open_bytes(path) as stream:
        for number, line in lines_of(stream, path, bad):
            if line.strip():
                yield Record(number, {"text": line.rstrip("\r\n")}, len(line))

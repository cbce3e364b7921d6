"""What tells one data set from another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from autopeft.data.rows import Rows

_FORMAT = b"autopeft rows 2"


def fingerprint_of(splits: Mapping[str, Rows]) -> str:
    """sha256 over split names, cells and labels: the same data has the same fingerprint anywhere."""
    digest = hashlib.sha256(_FORMAT)
    for split, rows in splits.items():
        columns = {**rows.texts, **rows.values} | ({} if rows.labels is None else {"label": rows.labels})
        for role in sorted(columns):
            digest.update(json.dumps([split, role, len(rows)]).encode())
            for cell in columns[role]:
                raw = cell.encode() if isinstance(cell, str) else json.dumps(cell, default=_plain).encode()
                digest.update(b"%d:%b" % (len(raw), raw))
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)

"""Data that was handed over in Python rather than named."""

from pathlib import Path
from typing import Any

from autopeft.errors import UsageError


def given_source(train: Any, validation: Any, test: Any) -> Any:
    """What was given in Python, as one object; None where `train` names a file, folder or hub id.

    Raises:
        UsageError: further splits beside a name.
    """
    if isinstance(train, str | Path):
        if validation is not None or test is not None:
            raise UsageError(
                "validation and test go with a train that is given in Python",
                hint="name a folder with split files",
            )
        return None
    if validation is None and test is None:
        return train
    splits = {"train": train, "validation": validation, "test": test}
    return {name: split for name, split in splits.items() if split is not None}

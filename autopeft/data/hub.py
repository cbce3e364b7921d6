"""Data sets of the Hugging Face hub, by id; never a data set's own code."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import datasets
from huggingface_hub import constants

from autopeft.data.files import SUFFIXES
from autopeft.errors import DataError

_SECONDS_TO_ANSWER = 10.0
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?(?::[\w.+-]+)?")


def looks_like_hub_id(name: str) -> bool:
    """Whether `name` can only be meant as `name`, `owner/name` or `owner/name:configuration`."""
    return bool(_ID.fullmatch(name)) and not name.lower().removesuffix(".gz").endswith(SUFFIXES)


def read_hub(name: str) -> datasets.DatasetDict:
    """Download (or find in the cache) a data set of the hub.

    Raises:
        DataError: it is unknown, gated, needs its own code, or the hub cannot be reached.
    """
    identifier, _, configuration = name.partition(":")
    try:
        with nullcontext() if _reachable(identifier) else _from_the_cache():
            loaded = datasets.load_dataset(identifier, configuration or None)
    except Exception as error:  # the hub client's, the parsers' and the network's errors share no base class
        raise _explained(name, error) from None
    return loaded if isinstance(loaded, datasets.DatasetDict) else datasets.DatasetDict({"train": loaded})


def _reachable(identifier: str) -> bool:
    """Whether the hub answers for this data set; one request, since a download would retry for half a minute.

    Raises:
        RepositoryNotFoundError: it answers that there is no such data set.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().dataset_info(identifier, timeout=_SECONDS_TO_ANSWER)
    except RepositoryNotFoundError:
        raise
    except Exception:  # every kind of network failure; the local cache may still have the data
        return False
    return True


@contextmanager
def _from_the_cache() -> Iterator[None]:
    """What asks the hub fails at once, and not after half a minute of tries that are written to the terminal."""
    places: tuple[Any, ...] = (constants, datasets.config)
    before = [place.HF_HUB_OFFLINE for place in places]
    for place in places:
        place.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def _explained(name: str, error: Exception) -> DataError:
    text = str(error)
    reason = text.strip().splitlines()[0][:200] if text.strip() else type(error).__name__
    if "gated" in text.lower():
        return DataError(f"the data set {name} is gated", hint="ask for access on its page, then `hf auth login`")
    if "onfig name is missing" in text:
        return DataError(f"the data set {name} has several configurations", hint=f"choose one, like {name}:NAME")
    if "scripts are no longer supported" in text:
        return DataError(f"the data set {name} needs code of its own to load", hint="use a copy in Parquet or CSV")
    return DataError(
        f"the data set {name} is no local path and cannot be had from the hub: {reason}",
        hint="check the spelling and the connection, or give a local file or folder",
    )

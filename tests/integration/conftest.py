"""Searches on real models and data, small in rows and steps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autopeft.api.run import SearchResult
from autopeft.api.search import search

# Small enough for seconds, large enough to learn something.
SMALL = {"batch_size": 8, "full_steps": 45, "max_train_rows": 400, "max_evaluation_rows": 120, "threads": 1}


def small_search(**options: Any) -> SearchResult:
    """A search with `SMALL` sizes."""
    return search(**{**SMALL, **options})


@pytest.fixture(scope="session")
def tiny_bert(material: Path) -> Path:
    return material / "models" / "minilm-tiny-distilled"


@pytest.fixture(scope="session")
def sst2(material: Path) -> Path:
    return material / "data" / "sst2"


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """Searches set the thread count of the process; the next test gets it as it was."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)

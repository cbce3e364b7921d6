"""Fixtures that every test may use. No test needs the internet."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder with real models and data that `AUTOPEFT_MATERIAL` names."""
    folder = os.environ.get("AUTOPEFT_MATERIAL")
    if not folder:
        pytest.skip("AUTOPEFT_MATERIAL is not set: no real models and data at hand")
    return Path(folder)

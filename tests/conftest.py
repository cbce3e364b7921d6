"""Fixtures that every test may use. No test needs the internet."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A search must not depend on which others ran before it.
os.environ.setdefault("AUTOPEFT_HISTORY", "off")
# Estimates are cached for this session only; the user's own cache is neither read nor written.
_CACHE = tempfile.TemporaryDirectory(prefix="autopeft-test-cache-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder with real models and data that `AUTOPEFT_MATERIAL` names."""
    folder = os.environ.get("AUTOPEFT_MATERIAL")
    if not folder:
        pytest.skip("AUTOPEFT_MATERIAL is not set: no real models and data at hand")
    return Path(folder)

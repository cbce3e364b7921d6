"""Estimates kept on disk, so that asking again costs no import of torch.

One small JSON file per estimate under `$XDG_CACHE_HOME/autopeft/estimates` (`~/.cache/autopeft/estimates`). The key
covers everything that decides the answer: config, task, method, hyperparameters, shape, the versions of torch,
transformers and peft, and the code of autopeft that makes the estimate.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "transformers", "peft")
_PACKAGES = ("memory", "modeling", "tuners")
_MOST_FILES = 2000
_MOST_FILE_BYTES = 100_000


def cache_folder() -> Path:
    """Where estimates are kept by default."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "autopeft" / "estimates"


def cache_key(parts: Mapping[str, Any]) -> str:
    """A name for everything that decides an estimate."""
    text = json.dumps({"of": parts, "by": _versions()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class EstimateCache:
    """A folder of JSON objects by key; a folder that cannot be used is the same as an empty one.

    Args:
        folder: where the files lie; it is made when something is written.
        most_files: when more are there, the oldest half goes.
    """

    def __init__(self, folder: Path | None = None, *, most_files: int = _MOST_FILES) -> None:
        self._folder = folder or cache_folder()
        self._most_files = most_files

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under `key`; None when there is nothing or it cannot be read."""
        path = self._folder / f"{key}.json"
        try:
            if path.stat().st_size > _MOST_FILE_BYTES:
                return None
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep `value`, written whole or not at all; a full or read-only disk is no error."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._prune()
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(value, file)
                os.replace(name, self._folder / f"{key}.json")
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _prune(self) -> None:
        files = list(self._folder.iterdir())
        if len(files) < self._most_files:
            return
        for path in sorted(files, key=_age)[: len(files) // 2 + 1]:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


@cache
def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = ""
    return found | {"code": _code_digest()}


def _code_digest() -> str:
    """Digest of the modules whose change can change an estimate."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(p for package in _PACKAGES for p in (root / package).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()

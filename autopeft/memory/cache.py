"""Estimates kept on disk, so that asking again costs no import of torch.

One small JSON file per estimate under `$XDG_CACHE_HOME/autopeft/estimates` (`~/.cache/autopeft/estimates`). The key
covers everything that decides the answer: config, task, method, hyperparameters, shape, the versions of torch,
transformers and peft, and the code of autopeft that makes the estimate. `AUTOPEFT_CACHE=off` keeps nothing.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "transformers", "peft")
_PACKAGES = ("domain", "memory", "modeling", "tuners")
# An estimate takes 2 kB and a block of the disk: all of them stay below 40 MB.
_MOST_FILES = 5000
_MOST_BYTES = 32_000_000
_MOST_FILE_BYTES = 100_000
_OFF = ("off", "0", "no", "false")


def cache_folder() -> Path:
    """Where estimates are kept by default."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "autopeft" / "estimates"


def user_cache() -> "EstimateCache | None":
    """The user's own cache, or None where it is switched off."""
    return None if os.environ.get("AUTOPEFT_CACHE", "").lower() in _OFF else EstimateCache()


def cache_key(parts: Mapping[str, Any]) -> str:
    """A name for everything that decides an estimate."""
    text = json.dumps({"of": parts, "by": _versions()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class EstimateCache:
    """A folder of JSON objects by key; a folder that cannot be used is the same as an empty one.

    Any number of processes may use one folder: files appear whole and go whole. Each process counts what it
    writes and looks at the folder again when that may have filled it, so that the bounds are kept to within
    what the other processes wrote since.

    Args:
        folder: where the files lie; it is made when something is written.
        most_files: when more are there, the oldest half goes.
        most_bytes: of all files together, likewise.
    """

    def __init__(
        self, folder: Path | None = None, *, most_files: int = _MOST_FILES, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._folder = folder or cache_folder()
        self._most_files = most_files
        self._most_bytes = most_bytes
        self._room: tuple[int, int] = (0, 0)

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under `key`; None when there is nothing or it cannot be read."""
        path = self._folder / f"{key}.json"
        try:
            if path.stat().st_size > _MOST_FILE_BYTES:
                return None
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep `value`, written whole or not at all; a full or read-only disk is no error."""
        text = json.dumps(value)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(text))
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(name, self._folder / f"{key}.json")
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _make_room(self, size_bytes: int) -> None:
        """See that one more file of that size stays within the bounds."""
        files, room_bytes = self._room
        if files < 1 or room_bytes < size_bytes:
            files, room_bytes = self._look(size_bytes)
        self._room = (files - 1, room_bytes - size_bytes)

    def _look(self, size_bytes: int) -> tuple[int, int]:
        """Room for files and bytes; where there is none for `size_bytes`, after the oldest files went."""
        found = sorted(self._files())
        held = sum(size for _, size, _ in found)
        if len(found) >= self._most_files or held + size_bytes > self._most_bytes:
            for _, size, path in found[: len(found) // 2 + 1]:
                with contextlib.suppress(OSError):  # somebody else's, or another process was faster
                    path.unlink()
                held -= size
            found = found[len(found) // 2 + 1 :]
        return self._most_files - len(found), self._most_bytes - held

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(time of change, bytes, path) of what the cache wrote, half-written files of a killed process too."""
        for path in self._folder.iterdir():
            if path.suffix in (".json", ".tmp"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path


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

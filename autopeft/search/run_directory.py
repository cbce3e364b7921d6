"""A run directory is the state of a search: every write is atomic, and a stop at any moment loses one slice."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autopeft.domain.plan import SearchRequest
from autopeft.domain.trials import SliceResult, TrialRecord, TrialSpec, after_slice
from autopeft.errors import InputError, RunError

# Folders of a run, and the names under which something is written there before it is whole.
_WRITTEN_INTO = ("trials", "confirm", "data", "report_files")
_HALF_WRITTEN = re.compile(r"\..+\.\d+\.tmp|\.best_adapter\.tmp")


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`: temporary file, fsync, rename.

    Raises:
        RunError: the disk is full or not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # its folder may be what cannot be written
            temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}", hint="make room, then `autopeft resume`") from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; the keys keep their order."""
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file of a run.

    Raises:
        InputError: it is missing or broken.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint="is this a run directory?") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no valid JSON: {error}", hint="restore the file or start a new run") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold a JSON object", hint="restore the file or start a new run")
    return content


def read_result(run: Path) -> dict[str, Any]:
    """The content of a run's result.json.

    Raises:
        InputError: this is no run directory, the run has no result yet, or the file is damaged.
    """
    path = run / "result.json"
    if not path.exists():
        RunDirectory(run).request()
        raise InputError(f"the run {run} has no result yet", hint=f"`autopeft status {run}`, `autopeft resume {run}`")
    try:
        return read_json(path)
    except InputError as error:
        raise InputError(error.message, hint=f"`autopeft resume {run}` writes it again") from error


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Read what a file of a run holds: an entry that is missing or of another kind means that it is damaged.

    Raises:
        InputError: it is.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} is damaged: {reason}", hint="restore the file or start a new run") from error


class TrialFolder:
    """One trial on disk: `spec.json`, `events.jsonl` (one line a finished slice) and `checkpoint/`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        """Where slices keep adapter and optimizer state."""
        return self.path / "checkpoint"

    def create(self, spec: TrialSpec, origin: str) -> None:
        """Write the spec; `origin` says who proposed it."""
        try:
            self.checkpoint.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot write to {self.path}: {error.strerror}"
            raise RunError(message, hint="make room, then `autopeft resume`") from error
        write_json(self.path / "spec.json", spec.to_dict() | {"origin": origin})

    def spec(self) -> tuple[TrialSpec, str]:
        """The spec and its origin."""
        path = self.path / "spec.json"
        plain = read_json(path)
        with intact(path):
            return TrialSpec.from_dict(plain), str(plain.get("origin", "sampler"))

    def commit(self, result: SliceResult) -> None:
        """Append the slice: from here on it is finished, whatever happens.

        Raises:
            RunError: the disk is full or not writable.
        """
        line = json.dumps(result.to_dict(), allow_nan=False) + "\n"
        try:
            self._drop_torn_line()
            with open(self.path / "events.jsonl", "a", encoding="utf-8") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            message = f"cannot write to {self.path}: {error.strerror}"
            raise RunError(message, hint="make room, then `autopeft resume`") from error

    def stop(self, reason: str) -> None:
        """The trial is trained no further: its state is given up, its results stay."""
        write_json(self.path / "stopped.json", {"reason": reason})

    def slices(self) -> list[SliceResult]:
        """The finished slices; a last line that was cut off in the middle does not count."""
        with intact(self.path / "events.jsonl"):
            return [SliceResult.from_dict(json.loads(line)) for line in self._whole_lines()]

    def record(self) -> TrialRecord:
        """The trial as the scheduler sees it."""
        spec, _ = self.spec()
        slices = self.slices()
        for piece in slices:
            spec = after_slice(spec, piece)
        record = TrialRecord(spec, "running", [piece for piece in slices if piece.error is None])
        if slices:
            given_up = (self.path / "stopped.json").exists()
            record.state = slices[-1].failure or ("stopped" if given_up else "paused")
        return record

    def _whole_lines(self) -> list[str]:
        path = self.path / "events.jsonl"
        if not path.exists():
            return []
        return path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()

    def _drop_torn_line(self) -> None:
        path = self.path / "events.jsonl"
        if path.exists() and not path.read_bytes().endswith(b"\n"):
            write_atomically(path, "".join(line + "\n" for line in self._whole_lines()))


class RunDirectory:
    """The folder of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: list[Path] = []
        self._before: set[Path] = set()

    @classmethod
    def create(cls, path: Path) -> "RunDirectory":
        """Make the folder and check that it can be written.

        Raises:
            RunError: it cannot be made or written.
            InputError: it already holds a run.
        """
        if (path / "plan.json").exists():
            raise InputError(f"{path} already holds a run", hint=f"`autopeft resume {path}`, or another --output")
        run = cls(path)
        run._made = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            run._before = set() if path in run._made else set(path.iterdir())
            (path / "trials").mkdir(parents=True, exist_ok=True)
            (path / "confirm").mkdir(exist_ok=True)
            probe = path / ".writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"cannot write the run directory {path}: {error.strerror}",
                hint="name a writable folder with --output",
            ) from error
        return run

    def forget(self) -> None:
        """Take away what was written since `create`: for a search that cannot even begin."""
        for path in set(self.path.iterdir()) - self._before:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for folder in self._made:
            with suppress(OSError):  # another search may have put its run beside this one
                folder.rmdir()

    def sweep(self) -> None:
        """Take away what a killed session had half written; only while the run is held.

        Other runs may lie in the same folder, and files of others: what is theirs is left alone.
        """
        places = [self.path.glob(".*.tmp"), *((self.path / name).rglob(".*.tmp") for name in _WRITTEN_INTO)]
        for path in (path for found in places for path in list(found) if _HALF_WRITTEN.fullmatch(path.name)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):  # a disk that cannot be written is found out by what follows
                    path.unlink(missing_ok=True)

    def request(self) -> SearchRequest:
        """What the search was asked to do.

        Raises:
            InputError: this is no run directory, or its plan is damaged.
        """
        path = self.path / "plan.json"
        if not path.is_file():
            hint = "name the folder that `autopeft search` printed; by default it is under runs/"
            raise InputError(f"there is no run in {self.path}", hint=hint)
        plan = read_json(path)
        with intact(path):
            return SearchRequest.from_dict(plan["request"])

    def trial(self, number: int) -> TrialFolder:
        """The folder of a search trial."""
        return TrialFolder(self.path / "trials" / f"{number:04d}")

    def confirmation(self, name: str, seed: int) -> TrialFolder:
        """The folder of a full-length run of the confirm stage."""
        return TrialFolder(self.path / "confirm" / f"{name}-seed-{seed}")

    def trials(self) -> list[TrialFolder]:
        """The search trials whose spec was written, by number."""
        return [TrialFolder(path.parent) for path in sorted(self.path.glob("trials/*/spec.json"))]

    def all_folders(self) -> list[TrialFolder]:
        """Those of the search trials and of the confirm stage."""
        specs = [*self.path.glob("trials/*/spec.json"), *self.path.glob("confirm/*/spec.json")]
        return [TrialFolder(path.parent) for path in sorted(specs)]

    def is_locked(self) -> bool:
        """Whether a process is working on the run."""
        try:
            with open(self.path / "run.lock", encoding="utf-8") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no lock file, or not ours to read
            return False
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run; released by the system when the process ends, however it ends.

        Raises:
            RunError: another process holds it, or its folder cannot be written.
        """
        try:
            lock = os.open(self.path / "run.lock", os.O_WRONLY | os.O_CREAT, 0o644)
        except OSError as error:
            message = f"cannot write the run directory {self.path}: {error.strerror}"
            raise RunError(message, hint="is it yours to write?") from error
        with open(lock, "w", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(
                    f"another search is working on {self.path}",
                    hint="wait for it, or look with `autopeft status`",
                ) from error
            yield

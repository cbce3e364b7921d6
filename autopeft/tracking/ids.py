"""The ids that a tracker gave to a search's runs, kept in the run directory: a resumed search goes on in them."""

import json
import os
from collections.abc import Callable
from pathlib import Path


class Ids:
    """Key -> id, in `tracking/<tracker>.json` of a run directory.

    Args:
        run: the run directory.
        tracker: its name.
    """

    def __init__(self, run: Path, tracker: str) -> None:
        self._path = run / "tracking" / f"{tracker}.json"
        kept = json.loads(self._path.read_text("utf-8")) if self._path.is_file() else {}
        # A key is a folder of the run, whose files are uploaded: one that leads out of it is nobody's.
        self._ids: dict[str, str] = {
            key: kept[key] for key in kept if (run / key).resolve().is_relative_to(run.resolve())
        }

    def of(self, key: str, make: Callable[[], str]) -> str:
        """The id of `key`; made, and written down at once, where there is none yet."""
        if key not in self._ids:
            self._ids[key] = make()
            self._path.parent.mkdir(exist_ok=True)
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._ids, indent=1) + "\n", "utf-8")
            os.replace(temporary, self._path)
        return self._ids[key]

    def known(self) -> tuple[str, ...]:
        """The keys that have an id."""
        return tuple(self._ids)

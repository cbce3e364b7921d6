"""A search's run, running or finished: opened from its directory, without torch until a model is asked for."""

from importlib import import_module
from pathlib import Path
from typing import Any

from autopeft.errors import InputError
from autopeft.search.run_directory import read_result


class BestAdapter:
    """The adapter that won.

    Args:
        entry: `best` of result.json.
        run: the run directory.
    """

    def __init__(self, entry: dict[str, Any], run: Path) -> None:
        self.entry = entry
        self._run = run

    @property
    def path(self) -> Path:
        """The adapter's folder."""
        return self._run / "best_adapter"

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Of the winner."""
        return dict(self.entry["hyperparameters"])

    def load(self, device: str = "cpu") -> Any:
        """The adapted transformers model in float32, ready to use.

        Raises:
            ModelError: the base model is not where it was.
        """
        return import_module("autopeft.api.finished").open_finished(self._run).load(device)


class SearchResult:
    """What a search found.

    Args:
        path: the run directory.

    Raises:
        InputError: there is no result there yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._result = read_result(self.path)

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json (docs/result-schema.md)."""
        return self._result

    @property
    def best(self) -> BestAdapter:
        """The winner.

        Raises:
            InputError: the search was stopped before there was one.
        """
        if self._result["best"] is None:
            raise InputError(f"the run {self.path} has no winner yet", hint=f"`autopeft resume {self.path}`")
        return BestAdapter(self._result["best"], self.path)

    def to_dict(self) -> dict[str, Any]:
        """The content of result.json."""
        return dict(self._result)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with one row for each trial; knobs are columns named `knob.<name>`."""
        rows = []
        for trial in self._result["trials"]:
            last = trial["rungs"][-1] if trial["rungs"] else {}
            row = {name: trial[name] for name in ("number", "state", "method", "origin", "seconds", "error")}
            row |= {name: last.get(name) for name in ("step", "validation_loss", "validation_metric")}
            rows.append(row | {f"knob.{name}": value for name, value in trial["hyperparameters"].items()})
        return import_module("pandas").DataFrame(rows)

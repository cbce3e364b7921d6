"""MLflow: a parent run for the search, a run below it for each training run; where, MLFLOW_TRACKING_URI says."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autopeft.domain.callbacks import Callback, SliceEnded
from autopeft.tracking import content
from autopeft.tracking.ids import Ids

PACKAGES = ("mlflow",)
_SEARCH = "search"
# States of result.json in MLflow's words; a trial that others outran has finished all the same.
_STATUS = {"failed": "FAILED", "oom": "FAILED", "paused": "SCHEDULED", "running": "SCHEDULED"}


def opened(run: Path, note: Callable[[str], None]) -> Callback:
    """The tracker of a run directory, in the experiment MLFLOW_EXPERIMENT_NAME, by default `autopeft`."""
    from mlflow import MlflowClient
    from mlflow.environment_variables import MLFLOW_EXPERIMENT_NAME

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client = MlflowClient()
    name = MLFLOW_EXPERIMENT_NAME.get() or "autopeft"
    experiment = client.get_experiment_by_name(name)
    number = client.create_experiment(name) if experiment is None else experiment.experiment_id
    note(f"mlflow: experiment {name} at {client.tracking_uri}")
    return _Mlflow(client, number, run)


class _Mlflow:
    """See `Callback`; the ids of its runs lie in the run directory."""

    def __init__(self, client: Any, experiment: str, run: Path) -> None:
        self._client = client
        self._experiment = experiment
        self._ids = Ids(run, "mlflow")
        self._begun: set[str] = set()
        self._search = self._id(_SEARCH, run.absolute().name, {})

    def slice_ended(self, ended: SliceEnded) -> None:
        """Parameters with the first slice, the curve with each."""
        tags = {"mlflow.parentRunId": self._search, "autopeft.stage": ended.stage}
        number = self._id(ended.key, content.name_of(ended), tags)
        parameters = {}
        if ended.key not in self._begun:
            self._begun.add(ended.key)
            self._client.update_run(number, status="RUNNING")
            parameters = content.parameters_of(ended)
        self._log(number, content.curve_of(ended), parameters)
        if ended.result.error:
            self._client.set_tag(number, "autopeft.error", ended.result.error)

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """The state and files of each run, and what the search came to."""
        for key in self._ids.known():
            if key == _SEARCH:
                continue
            number = self._id(key, key, {})
            state = content.state_of(result, key, run / key)
            self._client.set_tag(number, "autopeft.state", state)
            self._upload(number, run / key, content.TRIAL_FILES)
            self._client.set_terminated(number, _STATUS.get(state, "FINISHED"))
        self._log(self._search, [(0, content.figures_of(result))], content.asked_of(result))
        self._upload(self._search, run, content.REPORT_FILES)
        if (run / content.ADAPTER).is_dir():
            self._client.log_artifacts(self._search, str(run / content.ADAPTER), content.ADAPTER)
        self._client.set_terminated(self._search, "FINISHED" if result["status"] == "finished" else "SCHEDULED")

    def _id(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        def make() -> str:
            created = self._client.create_run(self._experiment, run_name=name, tags={**tags, "autopeft.run": key})
            return str(created.info.run_id)

        return self._ids.of(key, make)

    def _log(self, number: str, points: list[content.Point], parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for step, figures in points for name, value in figures.items()]
        # MLflow refuses another value, and a resumed search was started by another command: the first one stays.
        logged = self._client.get_run(number).data.params if parameters else {}
        params = [Param(name, str(value)[:6000]) for name, value in parameters.items() if name not in logged]
        for at in range(0, max(len(metrics), 1), 900):  # a call takes 1,000 at most
            self._client.log_batch(number, metrics[at : at + 900], params if at == 0 else [])

    def _upload(self, number: str, folder: Path, names: tuple[str, ...]) -> None:
        for path in content.files_in(folder, names):
            self._client.log_artifact(number, str(path))

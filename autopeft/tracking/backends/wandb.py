"""Weights & Biases: a run for each training run and one for the search, in a group; offline where none logged in."""

import netrc
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from autopeft.domain.callbacks import Callback, SliceEnded
from autopeft.tracking import content
from autopeft.tracking.ids import Ids

PACKAGES = ("wandb",)
_SEARCH = "search"
_CLOUD = "https://api.wandb.ai"


def opened(run: Path, note: Callable[[str], None]) -> Callback:
    """The tracker of a run directory; project and entity are W&B's own variables, by default `autopeft`."""
    return _Wandb(run, note)


def mode() -> str | None:
    """`offline` where nobody logged in and WANDB_MODE says nothing: otherwise W&B would ask at the terminal."""
    if os.environ.get("WANDB_MODE") or os.environ.get("WANDB_API_KEY") or _in_netrc():
        return None
    return "offline"


def _in_netrc() -> bool:
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or _CLOUD).hostname or ""
    with suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    return False


class _Wandb:
    """See `Callback`; runs stay open until the search has ended."""

    def __init__(self, run: Path, note: Callable[[str], None]) -> None:
        import wandb

        self._wandb = wandb
        self._run = run
        self._mode: Any = mode()
        self._ids = Ids(run, "wandb")
        self._open: dict[str, Any] = {}
        self._failed: set[str] = set()
        search = self._opened(_SEARCH, run.absolute().name, {})
        note(f"wandb: offline; `wandb sync` uploads {run / 'wandb'}" if search.offline else f"wandb: {search.url}")

    def slice_ended(self, ended: SliceEnded) -> None:
        """Parameters with the first slice, the curve with each."""
        tracked = self._opened(ended.key, content.name_of(ended), content.parameters_of(ended))
        for step, figures in content.curve_of(ended):
            tracked.log(figures, step=step)
        if ended.result.error:
            tracked.summary["error"] = ended.result.error
            self._failed.add(ended.key)

    def search_ended(self, result: Mapping[str, Any], run: Path) -> None:
        """The state and files of each run, and what the search came to."""
        search = self._open.pop(_SEARCH)
        for key, tracked in self._open.items():
            tracked.summary["state"] = content.state_of(result, key, run / key)
            self._files(tracked, "trial", run / key, content.TRIAL_FILES)
            tracked.finish(exit_code=1 if key in self._failed else 0)
        search.config.update(content.asked_of(result), allow_val_change=True)
        search.summary.update(content.figures_of(result))
        self._files(search, "report", run, content.REPORT_FILES)
        adapter = run / content.ADAPTER
        names = tuple(path.name for path in adapter.iterdir()) if adapter.is_dir() else ()
        self._files(search, "model", adapter, names)
        search.finish(exit_code=0 if result["status"] == "finished" else 1)

    def _opened(self, key: str, name: str, parameters: Mapping[str, Any]) -> Any:
        if key not in self._open:
            self._open[key] = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT") or "autopeft",
                group=self._run.absolute().name,
                job_type="search" if key == _SEARCH else key.partition("/")[0],
                id=self._ids.of(key, lambda: uuid4().hex[:12]),
                name=name,
                config=dict(parameters),
                dir=str(self._run),
                resume="allow",
                reinit="create_new",
                settings=self._wandb.Settings(
                    mode=self._mode, console="off", silent=True, x_disable_stats=True, disable_git=True
                ),
            )
        return self._open[key]

    def _files(self, tracked: Any, kind: str, folder: Path, names: tuple[str, ...]) -> None:
        files = list(content.files_in(folder, names))
        if files:
            artifact = self._wandb.Artifact(f"{kind}-{tracked.id}", type=kind)
            for path in files:
                artifact.add_file(str(path))
            tracked.log_artifact(artifact)

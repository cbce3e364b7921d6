"""What a study in a database says is no more trusted than a file."""

from pathlib import Path
from typing import Any

import pytest

from autopeft.api.planning import Choice
from autopeft.api.studies import agreed_plan
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.progress import Silent
from autopeft.errors import InputError
from autopeft.search import shared_study
from autopeft.search.run_directory import RunDirectory
from autopeft.search.storage_address import sqlite_address


@pytest.mark.parametrize("plan", [{}, {"training": {}, "choice": {}}, {"training": [], "choice": 3}])
def test_a_damaged_plan_of_a_study_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]
) -> None:
    def decide() -> tuple[TrainingPlan, Choice]:
        raise AssertionError("the first process has decided")

    monkeypatch.setattr(shared_study, "agree", lambda *asked: plan)
    run = RunDirectory.create(tmp_path / "run")
    request = SearchRequest("m", "d", "", storage=sqlite_address(tmp_path / "study.db"), study="mine")
    with pytest.raises(InputError, match="the plan of the study 'mine' is damaged"):
        agreed_plan(run, request, {}, decide, Silent())

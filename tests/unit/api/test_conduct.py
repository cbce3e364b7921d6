"""How a search is to be conducted: what makes no sense is refused before anything is read."""

from typing import Any

import pytest

from autopeft.api.conduct import check_request, conduct_fields, default_budget
from autopeft.api.search import request_of
from autopeft.domain.plan import SearchRequest
from autopeft.errors import MissingDependencyError, UsageError
from autopeft.search import flat_samplers


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        ({"workers": -1}, "--workers -1", "at least 0"),
        ({"scheduler": "luck"}, "no scheduler 'luck'", "asha, hyperband, freeze-thaw"),
        ({"sampler": "luck"}, "no sampler 'luck'", "tpe, random"),
        ({"objectives": ["loss", "beauty"]}, "no objective 'beauty'", "latency"),
        ({"objectives": ["size"]}, "loss must be among", "loss,size"),
        ({"objectives": []}, "must be an objective", "loss"),
        ({"money": 5.0}, "--money needs a price", "--price-per-hour"),
        ({"money": 0.0, "price_per_hour": 1.0}, "--money 0", "above 0"),
        ({"device_hours": float("inf")}, "--device-hours inf", "above 0"),
        ({"tokens": 0}, "--tokens 0", "at least 1"),
        ({"max_disk": "much"}, "'much' is not a size", "24GB"),
        ({"max_trial_time": "soon"}, "'soon' is not a duration", "2h30m"),
        ({"study": "mine"}, "--study names a study", "--storage"),
        ({"storage": "oracle://u:word@h/d"}, "no oracle database", "postgresql://"),
        ({"worker": 2}, "no option 'worker'", "did you mean workers?"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], error: str, hint: str) -> None:
    with pytest.raises(UsageError) as refusal:
        request_of(options)
    assert error in refusal.value.message
    assert hint in str(refusal.value.hint)


def test_a_sampler_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat_samplers, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"cmaes needs the package cmaes") as refusal:
        check_request(SearchRequest("m", "d", "", **conduct_fields({"sampler": "cmaes"})))
    assert "autopeft[cmaes]" in str(refusal.value)


def test_any_limit_takes_the_place_of_the_default_hour() -> None:
    assert default_budget({}, None, demo=False) == "1h"
    assert default_budget({}, None, demo=True) == "4m"
    for limits in ({"tokens": 5}, {"money": 1.0}, {"device_hours": 1.0}):
        assert default_budget(limits, None, demo=False) is None  # type: ignore[arg-type]
    assert default_budget({}, 3, demo=False) is None


def test_the_first_of_all_budgets_of_time_counts() -> None:
    fields = conduct_fields({"device_hours": 1.0, "money": 1.0, "price_per_hour": 2.0, "workers": 2})
    request = SearchRequest("m", "d", "", budget_seconds=1000.0, **fields)
    assert request.paid_device_seconds == 1800.0  # half an hour of one device
    assert request.wall_seconds == 900.0
    assert SearchRequest.from_dict(request.to_dict()) == request

"""Published measurements: they name what exists, carry a source, and say what their source says."""

import csv
import json

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.domain.evidence import Evidence

CATALOG = load_catalog()
TABLES = [pytest.param(table, id=table.id) for table in CATALOG.evidence.values()]
COMPARED = [pytest.param(table, id=table.id) for table in CATALOG.evidence.values() if table.comparisons]


@pytest.mark.parametrize("table", TABLES)
def test_it_says_where_it_comes_from(table: Evidence) -> None:
    assert table.source.ref and table.source.where
    assert table.campaign


@pytest.mark.parametrize("table", COMPARED)
def test_it_speaks_of_methods_and_models_that_exist(table: Evidence) -> None:
    for comparison in table.comparisons:
        names = [one.method for one in comparison.measurements] + [name for tied in comparison.order for name in tied]
        assert set(names) <= set(CATALOG.methods)
        assert "lora" in names
        if comparison.model:
            assert CATALOG.model_parameters[comparison.model] == pytest.approx(comparison.model_parameters, rel=0.02)


def test_the_metamath_table_says_what_the_published_runs_say() -> None:
    with (search_spaces_root() / "evidence" / "peft_metamath_measured.csv").open(encoding="utf-8") as file:
        runs = {row["experiment"]: row for row in csv.DictReader(file)}
    (comparison,) = CATALOG.evidence["peft-metamath"].comparisons
    assert len(comparison.measurements) >= 20
    for one in comparison.measurements:
        run = runs[one.logged_as]
        assert one.value == pytest.approx(float(run["test_metric"]), abs=5e-5)
        assert one.trainable_parameters == int(run["num_trainable_params"])
        assert one.learning_rate == json.loads(run["optimizer_kwargs"])["lr"]

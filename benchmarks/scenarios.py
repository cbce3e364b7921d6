"""What the recommender answers in the situations of scenarios/, and what each rule adds there.

    python benchmarks/scenarios.py

Every method gets the same predicted cost, so that only rules and evidence decide. For each rule the answers with and
without it are compared: the order of the methods, their starting values and ranges, and what is left out. Since a rule
that sums up a table of measurements does not count beside it, each situation is asked with all tables and with none.
Writes `scenarios.md` and `scenarios.json` beside it, with the time in which all rules are read and checked.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autopeft.catalog import load
from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.rule_checks import check_rule, placed
from autopeft.catalog.rule_conflicts import conflicts
from autopeft.catalog.rule_schema import RulesSchema
from autopeft.catalog.source_file import read_source_file
from autopeft.domain.evidence import Evidence
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.domain.models import ModelSpec
from autopeft.domain.recommendation import Recommendation
from autopeft.domain.rules import Rule
from autopeft.domain.tasks import TaskSpec
from autopeft.modeling.architecture import architecture_of
from autopeft.recommend.answer import recommend_methods
from autopeft.recommend.engine import firing_rules
from autopeft.recommend.options import DataFacts, Options

HERE = Path(__file__).parent
GRID = HERE / "scenarios"
DEFAULT_TASKS = {"encoder": "sequence-classification", "decoder": "causal-lm", "encoder-decoder": "text-to-text"}
SHOWN = 5


@dataclass(frozen=True)
class Scenario:
    """One situation of the grid."""

    name: str
    model: str
    task: str
    wants: Mapping[str, Any]

    def options(self, task: TaskSpec) -> Options:
        """As the recommender takes them; what the grid leaves out is as on the command line."""
        step = {"batch_size": task.default_batch_size, "max_length": task.default_max_length}
        wants = dict(self.wants)
        shape = StepShape(**(step | wants.pop("shape", {})))
        return Options(shape=shape, data=DataFacts(**wants.pop("data", {})), **wants)


def read_grid(path: Path = GRID) -> list[Scenario]:
    """Every situation of the folder, with the task that suits its model where none is named."""
    catalog = load_catalog()
    return [
        Scenario(one["name"], one["model"], one.get("task") or _usual_task(catalog, one["model"]), one["wants"])
        for file in sorted(path.glob("*.yaml"))
        for one in yaml.safe_load(file.read_text("utf-8"))["scenarios"]
    ]


def _usual_task(catalog: Catalog, model: str) -> str:
    return DEFAULT_TASKS[architecture_of(catalog.models[model].config, catalog).kind]


def same_cost(
    model: ModelSpec, task: TaskSpec, method: MethodSpec, hyperparameters: Hyperparameters, shape: StepShape
) -> MemoryEstimate:
    """An estimator to which all methods cost the same, and which fits any budget."""
    parts = dict.fromkeys(COMPONENTS, 0) | {"weights": 2**20, "allocator_overhead": 0}
    return MemoryEstimate(
        model.name, method.id, dict(hyperparameters), 1000, 1000, 10**6, parts, 2**20, 2**20, "backward", 10**9
    )


def answer(catalog: Catalog, scenario: Scenario, rules: Iterable[Rule], evidence: Iterable[Evidence]) -> Recommendation:
    """What is recommended there, among all methods of the catalogue."""
    model = catalog.models[scenario.model]
    architecture = architecture_of(model.config, catalog)
    task = catalog.task(scenario.task).on(architecture.kind)
    return recommend_methods(
        model,
        task,
        architecture,
        base_parameters=catalog.model_parameters[scenario.model],
        methods=catalog.methods.values(),
        rules=rules,
        estimator=same_cost,
        options=scenario.options(task),
        evidence=evidence,
    )


def told(recommendation: Recommendation) -> Any:
    """What a user goes by: the order, the starting values, the ranges, and what is left out by which rule."""
    ranked = [(one.method, dict(one.start), dict(one.ranges)) for one in recommendation.candidates]
    return ranked, [(one.method, [reason.rule for reason in one.reasons]) for one in recommendation.excluded]


class Grid:
    """All situations, each answered with every rule, with all evidence and with none."""

    def __init__(self) -> None:
        self.catalog = load_catalog()
        self.scenarios = read_grid()
        self.rules = tuple(self.catalog.rules.values())
        self.tables = (tuple(self.catalog.evidence.values()), ())
        self.answers = {
            (one.name, bool(tables)): answer(self.catalog, one, self.rules, tables)
            for one in self.scenarios
            for tables in self.tables
        }

    def fires_in(self, rule: Rule) -> list[Scenario]:
        """The situations in which the rule fires."""
        return [one for one in self.scenarios if firing_rules([rule], self.answers[one.name, True].facts)]

    def moved_by(self, rule: Rule) -> Iterator[tuple[Scenario, bool]]:
        """Where taking the rule out changes what a user would do; with all evidence (True) or with none."""
        rest = tuple(one for one in self.rules if one is not rule)
        for scenario in self.fires_in(rule):
            for tables in self.tables:
                without = answer(self.catalog, scenario, rest, tables)
                if told(without) != told(self.answers[scenario.name, bool(tables)]):
                    yield scenario, bool(tables)

    def only_told(self, rule: Rule) -> bool:
        """Whether the rule changes nothing but what is said of the methods."""
        return all(effect.kind == "note" for effect in rule.effects)


def seconds_to_check() -> tuple[float, float]:
    """CPU seconds, the least of five, in which the rules alone and the whole catalogue are read and checked."""
    catalog, root = load_catalog(), search_spaces_root()
    names = {name: frozenset(getattr(catalog, name)) for name in ("methods", "tasks", "evidence")}
    methods = list(catalog.methods.values())

    def only_rules() -> None:
        files = [read_source_file(path, path.name) for path in sorted((root / "rules").glob("*.yaml"))]
        entries = [(file, RulesSchema.model_validate(file.values).rules) for file in files]
        rules = [placed(file, index, rule) for file, found in entries for index, rule in enumerate(found)]
        assert not [fault for rule in rules for fault in check_rule(rule, methods, names)]
        assert not conflicts(rules, methods)

    def whole_catalog() -> None:
        load._load.cache_clear()
        load.load_catalog()

    return _least_seconds(only_rules), _least_seconds(whole_catalog)


def _least_seconds(work: Callable[[], None]) -> float:
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Write the two files."""
    grid = Grid()
    rules = [
        {
            "rule": rule.id,
            "fires_in": [one.name for one in grid.fires_in(rule)],
            "moves": sorted({scenario.name for scenario, _ in grid.moved_by(rule)}),
            "note": grid.only_told(rule),
        }
        for rule in grid.rules
    ]
    answers = [
        {
            "scenario": one.name,
            "model": one.model,
            "task": one.task,
            "first": [candidate.method for candidate in grid.answers[one.name, True].candidates[:SHOWN]],
            "excluded": len(grid.answers[one.name, True].excluded),
            "rules": sum(one in grid.fires_in(rule) for rule in grid.rules),
        }
        for one in grid.scenarios
    ]
    only_rules, whole_catalog = seconds_to_check()
    checked = {"rules_cpu_seconds": round(only_rules, 3), "catalog_cpu_seconds": round(whole_catalog, 3)}
    result = {**checked, "answers": answers, "rules": rules}
    (HERE / "scenarios.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (HERE / "scenarios.md").write_text(_page(result), "utf-8")


def _page(result: Mapping[str, Any]) -> str:
    lines = [
        "# Scenarios",
        "",
        "`python benchmarks/scenarios.py`; the situations are in [scenarios/](scenarios). Every method costs",
        "the same here, so that only rules and evidence decide; with real costs the order differs.",
        "",
        f"The {len(result['rules'])} rules are read, and their conditions, cases and conflicts checked, in",
        f"{result['rules_cpu_seconds']:.2f} s of one core; the whole catalogue in"
        f" {result['catalog_cpu_seconds']:.2f} s.",
        "",
        "| situation | model | task | first five | left out | rules that fire |",
        "| --- | --- | --- | --- | ---: | ---: |",
        *(
            f"| {one['scenario']} | {one['model']} | {one['task']} | {', '.join(one['first'])} | {one['excluded']} |"
            f" {one['rules']} |"
            for one in result["answers"]
        ),
        "",
        "## Rules",
        "",
        "Situations in which a rule fires, and in how many of them taking it out changes the order, a starting value,",
        "a range, or what is left out and by which rule, with all evidence or with none. A note changes what is told.",
        "",
        "| rule | fires in | changes |",
        "| --- | ---: | ---: |",
        *(
            f"| {one['rule']} | {len(one['fires_in'])} | {'a note' if one['note'] else len(one['moves'])} |"
            for one in result["rules"]
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

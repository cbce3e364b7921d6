"""What the recommender offers and leaves out, held to what a tiny real model does.

    PYTHONPATH=. python benchmarks/exclusions.py [--seed 0] [--cases 200] [--quantised 84]

A seeded sample of (model, method, task, setting): the recommender is asked with its own estimator, then a model of that
family with real weights is wrapped and trained for two steps, and merged where a mergeable adapter was asked for. Where
the recommender says no, peft alone wraps. `--quantised` also asks for methods on a 4-bit base; without bitsandbytes
these stay unchecked. Memory verdicts are held to what peft's maintainers measured, by the predictions in
`memory_metamath.json`. Writes `exclusions.json` and `exclusions.md` beside it.
"""

import argparse
import json
import os
import random
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers

from autopeft.api.recommend import rank_methods
from autopeft.api.request import Request, StepOptions, longest_sequence, read_request
from autopeft.catalog.load import load_catalog
from autopeft.domain.models import ModelSpec
from autopeft.domain.tasks import HEADS, TaskSpec
from autopeft.errors import AutopeftError
from autopeft.memory.estimate import TracingEstimator
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.config import transformers_config
from autopeft.recommend.options import Options
from benchmarks.exclusions_page import (
    BUDGET_SHARES,
    NOT_CHECKED,
    NOTHING_TO_DO,
    QUANTISED,
    REFUSED_OUTRIGHT,
    REQUEST,
    RIGHT_EXCLUSION,
    RIGHT_OFFER,
    WRONG,
    WRONG_EXCLUSION,
    WRONG_OFFER,
    page,
)
from benchmarks.tiny_training import Outcome, Subject, outcome
from tests.unit.memory.tiny_configs import TINY_CONFIGS, tiny_config

HERE = Path(__file__).parent
POSITIONS, SHORT, TARGET, ROWS, LABELS = 128, 16, 12, 4, 3
# Their first two positions are taken: the published models name 514 for 512 tokens.
TAKEN_POSITIONS = {"roberta": 2, "xlm-roberta": 2, "camembert": 2}
LONGEST, TOO_LONG, MERGEABLE = "longest input", "one token too long", "mergeable asked"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "checkpointing": {"gradient_checkpointing": True},
    "bfloat16": {"dtype": "bfloat16"},
    "eager attention": {"attention": "eager"},
    "sgd": {"optimizer": "sgd"},
    "adafactor": {"optimizer": "adafactor"},
    LONGEST: {},
    TOO_LONG: {},
    MERGEABLE: {},
}
QUANTISED_STEP = {"quantization": "nf4", "upcast": "all"}
QUANTISED_MODEL = "llama"
CATALOG = load_catalog()
ESTIMATOR = TracingEstimator(CATALOG, cache=False)


@dataclass(frozen=True)
class Case:
    """One question to the recommender."""

    model_type: str
    method: str
    task: str
    setting: str


@dataclass(frozen=True)
class Verdict:
    """What the recommender says: whether the method is offered, and if not, by which rule and why."""

    offered: bool
    rule: str
    why: str


@dataclass(frozen=True)
class Row:
    """One case with both answers; `works` is None where nothing could be tried."""

    case: Case
    verdict: Verdict
    works: bool | None
    what: str

    @property
    def kind(self) -> str:
        """How the two agree."""
        if self.works is None:
            return NOT_CHECKED
        if self.verdict.offered == self.works:
            return RIGHT_OFFER if self.works else RIGHT_EXCLUSION
        if not self.works:
            return WRONG_OFFER
        if self.verdict.rule == REQUEST:
            return REFUSED_OUTRIGHT
        for_quantised = CATALOG.methods[self.case.method].can("needs_quantized_base")
        return NOTHING_TO_DO if for_quantised and self.case.setting != QUANTISED else WRONG_EXCLUSION


def config_of(model_type: str) -> dict[str, Any]:
    """The tiny config, with as few positions as make the longest input cheap."""
    config = tiny_config(model_type)
    if architecture_of(config, CATALOG).id == "t5":
        return config
    name = "n_positions" if model_type == "gpt2" else "max_position_embeddings"
    return config | {name: POSITIONS + TAKEN_POSITIONS.get(model_type, 0)}


@cache
def tasks_of(model_type: str) -> tuple[str, ...]:
    """Tasks that the catalogue offers for the family and transformers has a head for."""
    model = ModelSpec(model_type, config_of(model_type))
    kind = architecture_of(model.config, CATALOG).kind
    tasks = [one.on(kind) for one in CATALOG.tasks.values() if kind in one.architectures]
    return tuple(task.id for task in tasks if _has_head(model, task))


def _has_head(model: ModelSpec, task: TaskSpec) -> bool:
    mapping = getattr(transformers, HEADS[task.head].auto_class)._model_mapping
    return type(transformers_config(model, task, LABELS)) in mapping


def sample(cases: int, seed: int) -> Iterator[Case]:
    """Cases drawn at random; every method comes round before one comes again."""
    drawn = random.Random(seed)
    methods: list[str] = []
    for _ in range(cases):
        if not methods:
            methods = sorted(CATALOG.methods)
            drawn.shuffle(methods)
        model_type = drawn.choice(sorted(TINY_CONFIGS))
        yield Case(model_type, methods.pop(), drawn.choice(tasks_of(model_type)), drawn.choice(list(SETTINGS)))


def quantised_cases(count: int, seed: int) -> list[Case]:
    """So many methods, drawn at random, on a small 4-bit Llama."""
    methods = sorted(CATALOG.methods)
    random.Random(seed).shuffle(methods)
    return [Case(QUANTISED_MODEL, method, "causal-lm", QUANTISED) for method in methods[:count]]


def ask(case: Case, folder: Path) -> tuple[Verdict, Subject]:
    """What the recommender says, and what to train: as it says where it offers, else the plain starting values."""
    config = config_of(case.model_type)
    path = folder / case.model_type
    path.write_text(json.dumps(config), "utf-8")
    architecture = architecture_of(config, CATALOG)
    limit = longest_sequence(ModelSpec("tiny", config), architecture)
    limit = POSITIONS if limit > 2 * POSITIONS else limit
    length = {LONGEST: limit, TOO_LONG: limit + 1}.get(case.setting, SHORT)
    asked = {"dtype": "float32"} | dict(QUANTISED_STEP if case.setting == QUANTISED else SETTINGS[case.setting])
    method = CATALOG.methods[case.method]
    task = CATALOG.tasks[case.task].on(architecture.kind)
    labels = task.outputs or LABELS
    # A length that is refused outright is tried all the same.
    request = _request(path, task, StepOptions(ROWS, SHORT, num_labels=labels, **asked))
    shape = replace(request.shape, max_length=length)
    subject = Subject(request.model, architecture, task, method, method.start(request.base_parameters), shape)
    try:
        request = _request(path, task, StepOptions(ROWS, length, num_labels=labels, **asked))
        options = Options(shape=request.shape, mergeable=case.setting == MERGEABLE)
        answer = rank_methods(request, (method,), options, ESTIMATOR)
    except AutopeftError as refusal:
        return Verdict(False, REQUEST, _without_folder(refusal.message, folder)), subject
    if answer.candidates:
        offered = answer.candidates[0]
        return Verdict(True, "", ""), replace(subject, hyperparameters=offered.start, shape=offered.shape)
    reason = answer.excluded[0].reasons[0]
    return Verdict(False, reason.rule, _without_folder(reason.text, folder)), subject


def _without_folder(text: str, folder: Path) -> str:
    return text.replace(f"{folder}{os.sep}", "")


def _request(path: Path, task: TaskSpec, step: StepOptions) -> Request:
    request = read_request(CATALOG, str(path), task.id, step)
    return replace(request, shape=replace(request.shape, target_length=TARGET))


def check(case: Case, folder: Path) -> Row:
    """Both answers to one case."""
    verdict, subject = ask(case, folder)
    if case.setting == QUANTISED and find_spec("bitsandbytes") is None:
        return Row(case, verdict, None, "bitsandbytes is not installed")
    found: Outcome = outcome(subject, by_autopeft=verdict.offered, merge=case.setting == MERGEABLE)
    return Row(case, verdict, found.works, found.what)


def memory_verdicts() -> list[dict[str, Any]]:
    """For each measured run and budget: whether it fits by the measurement and by the recorded prediction."""
    runs = json.loads((HERE / "memory_metamath.json").read_text("utf-8"))["rows"]
    return [
        {
            "experiment": run["experiment"],
            "budget_share": share,
            "budget_bytes": int(run["measured_bytes"] * share),
            "fits": run["measured_bytes"] <= int(run["measured_bytes"] * share),
            "said_to_fit": run["reserved_bytes"] <= int(run["measured_bytes"] * share),
            "error": run["error"],
        }
        for run in runs
        for share in BUDGET_SHARES
    ]


def _told(row: Row) -> dict[str, Any]:
    """The row as it is kept; a difference is printed at once."""
    if row.kind in WRONG:
        print(row.kind, row.case, row.verdict.rule, row.verdict.why, "|", row.what, flush=True)
    return asdict(row) | {"kind": row.kind}


def _again(kept: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A row of an earlier run, asked anew where the two had differed."""
    return _told(check(Case(**kept["case"]), folder)) if kept["kind"] in WRONG else kept


def main() -> None:
    """Ask, train, and write the two files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--quantised", type=int, default=0, help="so many methods also on a 4-bit base")
    parser.add_argument("--again", action="store_true", help="ask only what differed in the last run's file")
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    os.environ["AUTOPEFT_CACHE"] = "off"
    with tempfile.TemporaryDirectory() as folder:
        if asked.again:
            kept = json.loads((asked.out / "exclusions.json").read_text("utf-8"))["cases"]
            rows = [_again(row, Path(folder)) for row in kept]
        else:
            cases = [*sample(asked.cases, asked.seed), *quantised_cases(asked.quantised, asked.seed)]
            rows = [_told(check(case, Path(folder))) for case in cases]
    memory = memory_verdicts()
    plain = {"seed": asked.seed, "cases": rows, "memory": memory}
    (asked.out / "exclusions.json").write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    (asked.out / "exclusions.md").write_text(page(plain), "utf-8")


if __name__ == "__main__":
    main()

"""Every method of the catalogue keeps its promises on every family; new YAML files are found alone."""

import copy
import functools
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from method_cases import (
    CATALOG,
    FAMILIES,
    MISSES,
    NUM_LABELS,
    REFUSED,
    Case,
    all_cases,
    batch_for,
    family_architecture,
    write_pretrained,
)
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from autopeft.domain.memory import StepShape
from autopeft.domain.models import ModelSpec
from autopeft.errors import ModelError
from autopeft.memory.structure import wrap_for_trace
from autopeft.modeling.adapter_files import load_adapter, save_adapter
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta, load_base
from autopeft.modeling.disable import adapter_disabled
from autopeft.modeling.heads import head_modules
from autopeft.modeling.parameters import ParameterCounts, count_parameters
from autopeft.modeling.peft_config import FULL
from autopeft.modeling.source import read_model
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.wrap import wrap

# Every method is tried on so many models by default, and on all of them in the slow run.
MODELS_BY_DEFAULT = 2
STEPS = 6


def _marked() -> Iterator[Any]:
    seen: Counter[str] = Counter()
    for case in all_cases():
        seen[case.method_id] += 1
        marks = [pytest.mark.slow] if seen[case.method_id] > MODELS_BY_DEFAULT else []
        yield pytest.param(case, id=case.name, marks=marks)


CASES = list(_marked())


@dataclass
class Trained:
    """What came of one case, measured once and asserted on by the tests below."""

    base_logits: Tensor
    base_rounding: float
    base_changed: list[str]
    base_trainable: list[str]
    start_logits: Tensor
    start_loss: float
    end_loss: float
    end_logits: Tensor
    disabled_logits: Tensor | None
    frozen_changed: list[str]
    trained_changed: list[str]
    trainable: list[str]
    heads: tuple[str, ...]
    counts: ParameterCounts
    folder: Path
    base_folder: Path
    model: ModelSpec


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    root = tmp_path_factory.mktemp("methods")

    @functools.cache
    def base_of(family: str) -> tuple[PreTrainedModel, ModelSpec]:
        task_id, source = FAMILIES[family]
        task = CATALOG.tasks[task_id]
        if isinstance(source, str):
            folder = request.getfixturevalue("material") / source
        else:
            folder = root / f"base-{family}"
            write_pretrained(source, task, folder)
        model = read_model(str(folder), CATALOG)
        return load_base(model, task, NUM_LABELS), model

    @functools.cache
    def rounding_of(family: str) -> float:
        base, _ = base_of(family)
        return _rounding(base, batch_for(CATALOG.tasks[FAMILIES[family][0]], base.config.vocab_size))

    @functools.cache
    def run(case: Case) -> Trained:
        base, model = base_of(case.family)
        return _train(case, base, model, root / case.name, rounding_of(case.family))

    return run


@torch.no_grad()
def _evaluate(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, float]:
    output = model.eval()(**batch)
    return output.logits.clone(), output.loss.item()


def _rounding(base: PreTrainedModel, batch: dict[str, Tensor]) -> float:
    """How far the base's own logits are from what it answers in float64."""
    exact, _ = _evaluate(copy.deepcopy(base).double(), batch)
    own, _ = _evaluate(base, batch)
    return (own.double() - exact).abs().max().item()


def _train(case: Case, base: PreTrainedModel, model: ModelSpec, folder: Path, rounding: float) -> Trained:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    batch = batch_for(case.task, base.config.vocab_size)
    base_logits, _ = _evaluate(base, batch)
    hyperparameters = case.method.start(base.num_parameters())
    torch.manual_seed(0)
    wrapped = wrap(base, case.method, hyperparameters, case.task, architecture_of(model.config, CATALOG))
    start_logits, start_loss = _evaluate(wrapped, batch)
    values = {name: p.detach().clone() for name, p in wrapped.named_parameters()}
    optimizer = build_optimizer(wrapped, hyperparameters)
    wrapped.train()
    for _ in range(STEPS):
        training_step(wrapped, [batch], optimizer, max_grad_norm=1.0)
    end_logits, end_loss = _evaluate(wrapped, batch)
    changed = {name for name, p in wrapped.named_parameters() if not torch.equal(p, values[name])}
    trainable = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    disabled = None
    if isinstance(wrapped, PeftModel):
        with adapter_disabled(wrapped):
            disabled, _ = _evaluate(wrapped, batch)
    save_adapter(wrapped, folder)
    save_file({name: value.contiguous() for name, value in batch.items()}, folder / "batch.safetensors")
    return Trained(
        base_logits=base_logits,
        base_rounding=rounding,
        base_changed=[name for name, value in base.state_dict().items() if not torch.equal(value, before[name])],
        base_trainable=[name for name, p in base.named_parameters() if p.requires_grad],
        start_logits=start_logits,
        start_loss=start_loss,
        end_loss=end_loss,
        end_logits=end_logits,
        disabled_logits=disabled,
        frozen_changed=sorted(changed - set(trainable)),
        trained_changed=sorted(changed & set(trainable)),
        trainable=trainable,
        heads=head_modules(base),
        counts=count_parameters(wrapped),
        folder=folder,
        base_folder=model.path or Path(),
        model=model,
    )


def _is_prompt_method(folder: Path) -> bool:
    config = folder / "adapter_config.json"
    return config.exists() and '"num_virtual_tokens"' in config.read_text()


@pytest.mark.parametrize("case", CASES)
def test_only_what_is_declared_trains(case: Case, train) -> None:
    run = train(case)
    assert run.frozen_changed == []
    assert run.trained_changed, "something trains"
    assert all(any(head in name for name in run.trained_changed) for head in run.heads), "every head trains"
    if case.method.builder == FULL:
        assert run.counts.trainable == run.counts.total
    else:
        assert run.counts.trainable < run.counts.total
        assert all("base_layer" not in name and "original_module" not in name for name in run.trainable)


@pytest.mark.parametrize("case", CASES)
def test_base_stays_as_it_was(case: Case, train) -> None:
    run = train(case)
    assert run.base_changed == [] and run.base_trainable == []


@pytest.mark.parametrize("case", CASES)
def test_start_is_the_base(case: Case, train) -> None:
    run = train(case)
    if _is_prompt_method(run.folder) or case.method.can("starts_at_base") is False:
        # Virtual tokens, and adapters that are drawn, change the output from the first step on; that is the method.
        same_shape = run.start_logits.shape == run.base_logits.shape
        assert not same_shape or not torch.allclose(run.start_logits, run.base_logits, atol=1e-7, rtol=0)
    else:
        # Methods that factorise a weight start at its product, rounded anew: no nearer than the base is to itself.
        rounding = max(1e-5, 3 * run.base_rounding)
        torch.testing.assert_close(run.start_logits, run.base_logits, atol=rounding, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_learns(case: Case, train) -> None:
    run = train(case)
    assert (run.end_loss < run.start_loss) is ((case.family, case.method_id) not in MISSES)


@pytest.mark.parametrize(("family", "method"), [(family, name) for family, names in REFUSED.items() for name in names])
def test_what_a_family_cannot_take_is_refused_before_training(family: str, method: str) -> None:
    task_id, config = FAMILIES[family]
    assert isinstance(config, dict)
    model, spec, task = ModelSpec("tiny", config), CATALOG.methods[method], CATALOG.tasks[task_id]
    base = build_on_meta(model, task, StepShape(dtype="float32", num_labels=NUM_LABELS))
    with pytest.raises(ModelError) as caught:
        wrap(base, spec, spec.start(base.num_parameters()), task, family_architecture(family))
    assert method in caught.value.message
    working = {case.method_id for case in all_cases() if case.family == family}
    assert working & set(re.findall(r"[a-z0-9-]+", caught.value.hint or "")), "the hint names a method that works"


@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].method.builder != FULL])
def test_disabling_gives_the_base_back(case: Case, train) -> None:
    run = train(case)
    assert run.disabled_logits is not None
    assert torch.equal(run.disabled_logits, run.base_logits) is (case.method.can("restores_base") is not False)


@pytest.mark.parametrize("case", CASES)
def test_meta_counts_the_same_parameters(case: Case, train) -> None:
    run = train(case)
    on_meta = build_on_meta(run.model, case.task, StepShape(dtype="float32", num_labels=NUM_LABELS))
    wrapped = wrap_for_trace(
        on_meta,
        case.method,
        case.method.start(on_meta.num_parameters()),
        case.task,
        architecture_of(run.model.config, CATALOG),
    )
    assert {p.device.type for p in wrapped.parameters()} == {"meta"}
    assert count_parameters(wrapped) == run.counts


@pytest.fixture(scope="module")
def reloaded(train, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    """Load all saved adapters of this run in one fresh process, which leaves their logits beside them."""
    selected = {item.callspec.params["case"] for item in request.session.items if "reloaded" in item.fixturenames}
    cases = [parameter.values[0] for parameter in CASES if parameter.values[0] in selected]
    if not os.environ.get("AUTOPEFT_MATERIAL"):
        cases = [case for case in cases if not case.needs_material]
    lines = []
    for case in cases:
        try:
            run = train(case)
        except Exception:  # its own tests say so; the others' adapters are still to be read
            continue
        lines.append("\t".join([case.task.head, str(run.base_folder), str(run.folder), str(NUM_LABELS)]))
    jobs = tmp_path_factory.mktemp("reload") / "jobs.tsv"
    jobs.write_text("\n".join(lines))
    script = Path(__file__).with_name("reload_adapters.py")
    done = subprocess.run([sys.executable, str(script), str(jobs)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("case", CASES)
def test_plain_peft_reloads_it_bit_equal_in_a_fresh_process(case: Case, train, reloaded: None) -> None:
    run = train(case)
    again = load_file(run.folder / "reloaded.safetensors")["logits"]
    assert torch.equal(again, run.end_logits)


@pytest.mark.parametrize("case", CASES)
def test_own_loader_reloads_it_bit_equal(case: Case, train) -> None:
    run = train(case)
    model = load_adapter(run.model, run.folder, case.task, NUM_LABELS)
    assert not any(p.requires_grad for p in model.parameters())
    logits, _ = _evaluate(model, load_file(run.folder / "batch.safetensors"))
    assert torch.equal(logits, run.end_logits)

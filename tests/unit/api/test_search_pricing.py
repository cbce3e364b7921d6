"""How a search splits its steps under a budget."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from autopeft.api.planning import evaluation_within
from autopeft.api.preparation import Subject
from autopeft.api.pricing import Pricing
from autopeft.catalog.load import load_catalog
from autopeft.domain.models import ModelSpec
from autopeft.domain.plan import SearchRequest, TrainingPlan
from autopeft.domain.trials import Split
from autopeft.recommend.options import DEVICE_CONTEXT_BYTES
from autopeft.search.sampler import Proposal
from autopeft.training.worker import Worker

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 2000,
    "max_position_embeddings": 512,
}
PLAN = TrainingPlan(batch_size=8, full_steps=4, rung_steps=(4,), seeds=(0,), autocast=None, rung_rows=8)
LORA = Proposal("lora", {"r": 8, "alpha": 8, "dropout": 0.0, "learning_rate": 1e-3, "weight_decay": 0.0})


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def pricing(budget_bytes: int | None, ranks: int = 1) -> Pricing:
    catalog = load_catalog()
    model = ModelSpec("tiny", CONFIG)
    subject = Subject(model, catalog.architectures["llama"], catalog.tasks["causal-lm"])
    data = SimpleNamespace(max_length=256, max_target_length=None, label_names=[], outputs=2, rows={"train": 1000})
    worker = cast(Worker, SimpleNamespace(plan=PLAN, data=data, device=torch.device("cpu")))
    return Pricing(subject, catalog, worker, budget_bytes, ranks=ranks)


def whole_step_bytes() -> int:
    """What the budget must be for all rows at once."""
    from autopeft.memory.estimate import TracingEstimator

    asked = pricing(None)
    catalog = load_catalog()
    estimate = TracingEstimator(catalog, padded=True)(
        ModelSpec("tiny", CONFIG),
        catalog.tasks["causal-lm"],
        catalog.methods["lora"],
        LORA.hyperparameters,
        asked.shape,
    )
    return estimate.reserved_bytes + DEVICE_CONTEXT_BYTES


def test_steps_are_split_until_they_fit_and_not_further() -> None:
    enough = whole_step_bytes()
    assert pricing(None).split(LORA) == Split()
    assert pricing(enough).split(LORA) == Split()
    split = pricing(enough - 1).split(LORA)
    assert split is not None and split.accumulation == 2 and not split.gradient_checkpointing
    assert pricing(DEVICE_CONTEXT_BYTES).split(LORA) is None


def test_evaluation_of_tokens_takes_no_more_rows_than_training() -> None:
    splits = [Split(), Split(4)]
    assert evaluation_within(PLAN, splits, PLAN.batch_size, keeps_logits=True).evaluation_batch_size == 2
    assert evaluation_within(PLAN, splits, PLAN.batch_size, keeps_logits=False) == PLAN


def test_a_trial_on_several_devices_is_priced_by_the_share_of_one() -> None:
    full = Proposal("full", {"learning_rate": 1e-3, "weight_decay": 0.0})
    alone, divided = (pricing(None, ranks).estimate(full, Split()) for ranks in (1, 4))
    assert divided.components_bytes["optimizer"] == pytest.approx(alone.components_bytes["optimizer"] / 4, rel=0.01)
    assert divided.peak_bytes < alone.peak_bytes
    assert pricing(None, 4).shape.batch_size == PLAN.batch_size // 4, "rows of each device"


def test_methods_that_were_not_tried_divided_are_left_out_with_the_reason() -> None:
    request = SearchRequest(model="tiny", dataset="", task="causal-lm", methods=("lora-plus", "galore"))
    answer = pricing(None, ranks=2).recommendation(request)
    assert {one.method for one in answer.candidates} == {"lora-plus", "lora"}
    [left_out] = [one for one in answer.excluded if one.method == "galore"]
    assert "divided over GPUs" in left_out.reasons[0].text

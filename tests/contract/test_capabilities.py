"""What the catalogue says a method can do, tried on small random models: merging and gradient checkpointing."""

from typing import Any

import pytest
import torch
import transformers
from method_cases import applies
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from autopeft.catalog import load_catalog
from autopeft.domain.methods import MethodSpec
from autopeft.domain.tasks import TaskSpec
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.step import build_optimizer, training_step
from autopeft.modeling.training_hooks import after_update
from autopeft.modeling.wrap import wrap

CATALOG = load_catalog()
SIZES = {"vocab_size": 100, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
TASKS = {"bert": "sequence-classification", "llama": "causal-lm"}
CASES = [
    pytest.param(model_type, method, id=f"{model_type}-{method.id}")
    for model_type, task in TASKS.items()
    for method in CATALOG.methods.values()
    if applies(method, CATALOG.task(task), CATALOG.architectures[model_type])
]


def base_model(model_type: str) -> transformers.PreTrainedModel:
    config = transformers.AutoConfig.for_model(model_type, **SIZES, num_attention_heads=4, pad_token_id=0)
    auto = {"bert": "AutoModelForSequenceClassification", "llama": "AutoModelForCausalLM"}[model_type]
    torch.manual_seed(0)
    return getattr(transformers, auto).from_config(config).requires_grad_(False).train()


def wrapped(model_type: str, method: MethodSpec) -> nn.Module:
    base = base_model(model_type)
    task: TaskSpec = CATALOG.task(TASKS[model_type])
    architecture = architecture_of(base.config.to_dict(), CATALOG)
    return wrap(base, method, method.start(100_000), task, architecture, head_seed=0)


def batch(model_type: str) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 100, (2, 8), generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1]) if model_type == "bert" else ids
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


@pytest.mark.parametrize(("model_type", "method"), [case for case in CASES if case.values[1].builder != "FULL"])
def test_a_method_that_is_said_to_merge_merges(model_type: str, method: MethodSpec) -> None:
    model: Any = wrapped(model_type, method)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model(**batch(model_type)).loss.backward()
    optimizer.step()
    model.eval()
    expected = model(**batch(model_type)).logits
    if not method.can("mergeable"):
        # Declared is what holds everywhere: BEFT merges into the biases that BERT has and Llama lacks.
        if model_type == "llama":
            with pytest.raises((AttributeError, ValueError, NotImplementedError)):
                model.merge_and_unload()
        return
    plain = model.merge_and_unload().eval()
    assert not any(isinstance(module, BaseTunerLayer) for module in plain.modules())
    torch.testing.assert_close(plain(**batch(model_type)).logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("model_type", "method"), [case for case in CASES if case.values[0] == "bert"])
def test_two_steps_under_autocast_train(model_type: str, method: MethodSpec) -> None:
    """As `search` trains where bfloat16 is fast; the second step has what the first one's hooks left."""
    model = wrapped(model_type, method)
    optimizer = build_optimizer(model, method.start(100_000))
    for step in (1, 2):
        loss = training_step(model, [batch(model_type)], optimizer, autocast=torch.bfloat16, max_grad_norm=1.0)
        after_update(model, step, 2)
        assert torch.isfinite(loss)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("model_type", "method"), CASES)
def test_gradient_checkpointing_works_where_it_is_said_to(model_type: str, method: MethodSpec) -> None:
    assert checkpointed_step_trains(model_type, method) is method.can("gradient_checkpointing")


def checkpointed_step_trains(model_type: str, method: MethodSpec) -> bool:
    """Whether the tensors that get a gradient also get one, and a finite one, with activations recomputed."""
    plain = gradients(wrapped(model_type, method), model_type)
    model: Any = wrapped(model_type, method)
    inner = model if method.builder == "FULL" else model.get_base_model()
    inner.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        recomputed = gradients(model, model_type)
    except RuntimeError:
        return False
    return plain.keys() == recomputed.keys() and all(bool(one.isfinite().all()) for one in recomputed.values())


def gradients(model: Any, model_type: str) -> dict[str, torch.Tensor]:
    """Of the trained tensors that got one; Shadow's last layer updates a state that nothing reads."""
    model(**batch(model_type)).loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.requires_grad and p.grad is not None}

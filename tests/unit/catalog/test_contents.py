import pytest

from autopeft.catalog import load_catalog
from autopeft.domain.methods import MethodSpec
from autopeft.errors import UsageError

CATALOG = load_catalog()


@pytest.mark.parametrize("name", ["lora-all", "LoRA-All", "lora_all", " lora-all ", "lora-all-linear"])
def test_a_method_is_found_by_id_and_alias(name: str) -> None:
    assert CATALOG.method(name).id == "lora-all"


def test_a_task_is_found_by_alias() -> None:
    assert CATALOG.task("summarisation").id == "summarization"


def test_a_rule_is_found_in_lower_case() -> None:
    name = next(iter(CATALOG.rules))
    assert CATALOG.rule(name.lower()).id == name


def test_a_typing_error_gets_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="there is no method 'lorra'") as caught:
        CATALOG.method("lorra")
    assert "did you mean lora" in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_nonsense_gets_the_list_of_names() -> None:
    with pytest.raises(UsageError) as caught:
        CATALOG.task("qqqqqq")
    assert caught.value.hint == f"known are {', '.join(CATALOG.tasks)}"


def test_an_alias_of_a_task_is_no_method() -> None:
    with pytest.raises(UsageError):
        CATALOG.method("classification")


@pytest.mark.parametrize(
    ("method", "parameters", "low", "high"),
    [
        # Learning rates that were seen to work, by size of the base model.
        ("lora", 1_500_000, 5e-3, 2e-2),
        ("lora", 22_600_000, 2e-3, 2e-3),
        ("lora", 300_000_000, 5e-4, 1e-3),
        ("lora", 7_000_000_000, 1e-4, 3e-4),
        ("full", 22_600_000, 1e-4, 1e-4),
        ("full", 3_212_749_824, 1e-5, 1e-5),
        ("ia3", 3_212_749_824, 1e-3, 5e-3),
        ("ln-tuning", 3_212_749_824, 1e-3, 5e-3),
    ],
)
def test_starting_learning_rates(method: str, parameters: int, low: float, high: float) -> None:
    assert low <= CATALOG.method(method).start(parameters)["learning_rate"] <= high


@pytest.mark.parametrize("method", CATALOG.methods.values(), ids=lambda method: method.id)
def test_every_method_states_its_capabilities_and_a_learning_rate(method: MethodSpec) -> None:
    asked = {"mergeable", "zero_inference_overhead", "gradient_checkpointing", "quantized_base"}
    assert method.capabilities.keys() >= asked
    assert "learning_rate" in {knob.name for knob in method.knobs}
    for parameters in (10**6, 10**8, 10**10):
        assert method.complete(method.start(parameters), parameters) == method.start(parameters)

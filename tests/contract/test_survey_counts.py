"""Our methods train as many parameters as the survey's authors logged for theirs, digit for digit."""

from collections.abc import Iterator

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import StepShape

CATALOG = load_catalog()
ROWS = [
    pytest.param(row, id=f"{row['model']}-{row['method']}")
    for row in CATALOG.evidence["survey-t5-cost"].rows
    if row["method"] and row["model"] == "t5-large"
]
# Where the survey's setting is not our starting value (Guitaricet/peft_comparison, adapter_config.py).
SURVEYS_SETTINGS: dict[str, dict[str, int]] = {
    "houlsby": {"bottleneck": 64},
    "prefix-tuning": {"virtual_tokens": 30},
    "lora": {"r": 8},
    "lora-all": {"r": 8},
}
# The survey's library gives encoder, decoder and cross attention a prefix each; peft 0.21.2 trains one for the
# decoder, used in both of its attentions (peft_model.py, get_prompt).
SHARES = {"prefix-tuning": 3}


@pytest.fixture(scope="module")
def base() -> Iterator[object]:
    from autopeft.modeling.build import build_on_meta

    yield build_on_meta(CATALOG.models["t5-large"], CATALOG.task("text-to-text"), StepShape())


@pytest.mark.parametrize("row", ROWS)
def test_as_many_parameters_train(row: dict[str, object], base: object) -> None:
    from autopeft.modeling.architecture import architecture_of
    from autopeft.modeling.parameters import count_parameters
    from autopeft.modeling.wrap import wrap

    method = CATALOG.method(str(row["method"]))
    knobs = method.complete(SURVEYS_SETTINGS.get(method.id, {}), 737_668_096)
    architecture = architecture_of(CATALOG.models["t5-large"].config, CATALOG)
    wrapped = wrap(base, method, knobs, CATALOG.task("text-to-text"), architecture)
    trainable = count_parameters(wrapped).trainable * SHARES.get(method.id, 1)
    assert trainable == pytest.approx(row["trainable_parameters"], rel=1e-6)

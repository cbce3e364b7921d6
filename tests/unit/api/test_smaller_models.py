"""Where nothing fits, a smaller base model of the same kind is named, with what it needs."""

from dataclasses import replace

import pytest

from autopeft.api import recommend as verb
from autopeft.api import request
from autopeft.catalog.load import load_catalog
from autopeft.domain.memory import MemoryEstimate
from autopeft.errors import NothingFitsError
from tests.unit.cli.stand_in import StandIn

SIZES = {"meta-llama/Llama-3.2-3B": 3_212_749_824, "meta-llama/Llama-3.2-1B": 1_235_814_400}


class BySize(StandIn):
    """Reserves three times the weights in the precision that is asked for."""

    def __call__(self, *arguments: object) -> MemoryEstimate:  # type: ignore[override]
        found = super().__call__(*arguments)  # type: ignore[arg-type]
        parameters = SIZES.get(found.model, 10**9)
        scale = 1 if arguments[4].quantization else 2  # type: ignore[attr-defined]
        return replace(found, reserved_bytes=3 * scale * parameters)


def test_the_largest_smaller_model_that_fits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_estimator", lambda *_: BySize())
    with pytest.raises(NothingFitsError) as refused:
        verb.recommend("meta-llama/Llama-3.2-3B", gpu_mem="6GB", methods=["lora"])
    assert "nearest" in refused.value.message
    assert "Use a smaller base model" in str(refused.value.hint)
    answer = verb.recommend("meta-llama/Llama-3.2-3B", gpu_mem="6GB", methods=["lora"], allow_empty=True)
    catalog = load_catalog()
    named = next(word for word in answer.advice[-1].text.split() if word in catalog.models)
    assert catalog.model_parameters[named] < catalog.model_parameters[answer.model]
    assert catalog.models[named].model_type == "llama"


def test_no_smaller_model_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_estimator", lambda *_: BySize())
    answer = verb.recommend("meta-llama/Llama-3.2-3B", gpu_mem="1GB", methods=["lora"], allow_empty=True)
    assert not answer.candidates
    assert not any("smaller base" in reason.text for reason in answer.advice)

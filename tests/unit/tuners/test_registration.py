"""Our methods are peft's own to every part of peft, and an old peft is refused."""

import pytest
import torch
from peft import PeftType, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from transformers import T5Config, T5ForConditionalGeneration

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.errors import MissingDependencyError
from autopeft.tuners.houlsby import HoulsbyConfig
from autopeft.tuners.registration import check_peft_version, own_methods, register_all


@pytest.mark.parametrize("name", sorted(own_methods()))
def test_peft_knows_the_method(name: str) -> None:
    member = getattr(PeftType, name.upper())
    assert member in list(PeftType) and PeftType(name.upper()) is member
    assert PEFT_TYPE_TO_CONFIG_MAPPING[name.upper()]().peft_type is member
    assert PEFT_TYPE_TO_TUNER_MAPPING[member].prefix == PEFT_TYPE_TO_PREFIX_MAPPING[member] == f"{name}_"


def test_registering_twice_changes_nothing() -> None:
    before = len(PeftType), dict(PEFT_TYPE_TO_TUNER_MAPPING)
    register_all()
    assert (len(PeftType), PEFT_TYPE_TO_TUNER_MAPPING) == before


@pytest.mark.parametrize("version", ["0.19.1", "0.9.0"])
def test_old_peft_is_refused_with_what_to_install(version: str) -> None:
    with pytest.raises(MissingDependencyError) as caught:
        check_peft_version(version)
    assert caught.value.exit_code == 5
    assert version in caught.value.message and "peft>=0.20" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["0.20.0", "0.21.2", "1.0.0"])
def test_newer_peft_is_taken(version: str) -> None:
    check_peft_version(version)


def test_houlsby_on_t5_large_has_the_published_parameter_count() -> None:
    # sites * (2db + b + d) with 96 sites, d = 1024, b = 64: the survey authors' 12.69 M for T5-large.
    with torch.device("meta"):
        config = T5Config(d_model=1024, d_kv=64, d_ff=4096, num_layers=24, num_heads=16)
        model = T5ForConditionalGeneration(config)
        targets = r"(encoder|decoder)\.block\.\d+\.layer\.\d+\.(SelfAttention\.o|DenseReluDense\.wo)"
        wrapped = get_peft_model(model, HoulsbyConfig(bottleneck_size=64, target_modules=targets))
    trained = sum(parameter.numel() for parameter in wrapped.parameters() if parameter.requires_grad)
    assert trained == 96 * (2 * 1024 * 64 + 64 + 1024) == 12_687_360

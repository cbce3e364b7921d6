"""The catalogue against the installed peft: a method that appears, disappears or changes its knobs is noticed."""

import json
from importlib.metadata import version
from typing import get_args, get_type_hints

import pytest
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as LoraLinear
from peft_configs import RECORDED, installed_configs

from autopeft.catalog import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.source_file import read_source_file
from autopeft.catalog.vocabulary import PEFT_BUILDERS

CATALOG = load_catalog()
LEFT_OUT = read_source_file(search_spaces_root() / "peft" / "left-out.yaml", "left-out.yaml").values
RECORDED_CONFIGS = json.loads(RECORDED.read_text(encoding="utf-8"))


def test_every_method_of_peft_is_offered_or_left_out_with_a_reason() -> None:
    offered = {method.builder for method in CATALOG.methods.values()} & PEFT_BUILDERS
    left_out = LEFT_OUT["left_out"]
    assert offered | left_out.keys() == set(installed_configs())
    assert not offered & left_out.keys(), "offered and left out at once"
    assert all(reason for reason in left_out.values())


def test_the_recorded_methods_are_the_installed_ones() -> None:
    assert RECORDED_CONFIGS.keys() == installed_configs().keys()


@pytest.mark.parametrize("builder", sorted(PEFT_BUILDERS))
def test_a_configuration_has_the_recorded_fields_and_starting_values(builder: str) -> None:
    installed = json.loads(json.dumps(installed_configs()[builder]))
    assert installed == RECORDED_CONFIGS[builder], (
        f"peft {version('peft')} changed {builder}: look at search_spaces/methods, then run "
        "python tests/contract/peft_configs.py"
    )


def test_the_variants_of_lora_that_are_left_out_are_fields_of_lora() -> None:
    names = {name.partition("=")[0] for name in LEFT_OUT["lora_variants_left_out"]}
    assert names <= RECORDED_CONFIGS["LORA"].keys()


def test_every_start_and_variant_of_lora_is_offered_or_left_out_with_a_reason() -> None:
    left_out = LEFT_OUT["lora_variants_left_out"]
    starts = [start for part in get_args(get_type_hints(LoraConfig)["init_lora_weights"]) for start in get_args(part)]
    loras = [method.settings for method in CATALOG.methods.values() if method.builder == "LORA"]
    offered = {settings.get("init_lora_weights") for settings in loras}
    assert "pissa" in starts
    for start in starts:
        assert (start in offered) is not bool(left_out.get(f"init_lora_weights={start}")), start
    # peft's own table of them, by the field of the configuration that switches each on.
    variants = {key[0] for key in LoraLinear.lora_variants.fget(None) if key}
    assert "use_dora" in variants
    for variant in variants - set(starts):
        assert any(settings.get(variant) for settings in loras) is not bool(left_out.get(variant)), variant


def test_what_wants_to_be_named_says_why() -> None:
    by_name = {method.id: method.by_name_only for method in CATALOG.methods.values() if method.by_name_only}
    assert {"boft", "hra", "osf", "frod", "adamss"} <= by_name.keys()
    assert all(len(why) > 20 for why in by_name.values())

"""Methods train as many parameters as peft's maintainers logged for theirs on Llama-3.2-3B, to the parameter."""

import csv
import json
from dataclasses import replace
from typing import Any

import pytest
from transformers import PreTrainedModel

from autopeft.catalog.load import load_catalog
from autopeft.catalog.locate import search_spaces_root
from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.errors import ModelError
from autopeft.memory.depth import with_layers
from autopeft.memory.structure import wrap_for_trace
from autopeft.modeling.architecture import architecture_of
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.parameters import count_parameters
from autopeft.modeling.wrap import wrap

CATALOG = load_catalog()
MODEL = CATALOG.models["meta-llama/Llama-3.2-3B"]
TASK = CATALOG.task("causal-lm")
ARCHITECTURE = architecture_of(MODEL.config, CATALOG)
LAYERS = MODEL.config["num_hidden_layers"]
# Fields that make a variant of a method, with what they are left at.
VARIANTS = {"use_dora": False, "use_rslora": False, "init_lora_weights": True, "use_bdlora": None}
# Logged configurations that no file of the catalogue can say, with the reason.
NOT_EXPRESSED = {"lora/llama-3.2-3B-rank14-target-mlp-bdlora": "use_bdlora takes a configuration of its own"}


def rows() -> list[dict[str, str]]:
    path = search_spaces_root() / "evidence" / "peft_metamath_measured.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def method_of(row: dict[str, str]) -> tuple[MethodSpec, dict[str, Any]]:
    """The catalogue's method for a logged run, on the targets of that run, and the configuration that was logged."""
    if row["peft_type"] == "FULL_FINETUNING":
        return CATALOG.method("full"), {}
    logged: dict[str, Any] = json.loads(row["peft_config_json"])
    for method in CATALOG.methods.values():
        if method.builder == row["peft_type"] and all(
            logged.get(name, usual) == method.settings.get(name, usual) for name, usual in VARIANTS.items()
        ):
            return replace(method, targets=logged_targets(method, logged)), logged
    raise LookupError(f"no method of the catalogue for {row['experiment']}")


def logged_targets(method: MethodSpec, logged: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Field -> the roles whose modules the logged run names there."""
    roles = {name: role for role, names in ARCHITECTURE.roles.items() for name in names}
    return {
        field: tuple(dict.fromkeys(role for name, role in roles.items() if name.rpartition(".")[2] in logged[field]))
        for field in method.targets
    }


def knobs_of(method: MethodSpec, logged: dict[str, Any]) -> dict[str, Any]:
    """All knobs, as logged where the run says something."""
    said = {knob.name: logged[knob.argument] for knob in method.knobs if knob.argument in logged}
    if method.builder == "OFT":
        # The run states how many blocks, the catalogue how large they are.
        said["block_size"] = MODEL.config["hidden_size"] // logged["r"]
    return {**method.start(3_212_749_824), **said}


@pytest.fixture(scope="module")
def bases() -> dict[int, PreTrainedModel]:
    return {layers: build_on_meta(with_layers(MODEL, layers), TASK, StepShape()) for layers in (1, 2, LAYERS)}


def count(bases: dict[int, PreTrainedModel], method: MethodSpec, knobs: dict[str, Any]) -> int:
    """Trained parameters at full depth, from one and two layers where the method computes on weights."""
    try:
        return count_parameters(wrap(bases[LAYERS], method, knobs, TASK, ARCHITECTURE)).trainable
    except ModelError:
        one, two = (
            count_parameters(wrap_for_trace(bases[n], method, knobs, TASK, ARCHITECTURE)).trainable for n in (1, 2)
        )
        return one + (LAYERS - 1) * (two - one)


EXPRESSED = [pytest.param(row, id=row["experiment"]) for row in rows() if row["experiment"] not in NOT_EXPRESSED]


def test_what_cannot_be_said_is_logged_and_named() -> None:
    assert NOT_EXPRESSED.keys() < {row["experiment"] for row in rows()}
    for row in rows():
        if row["experiment"] in NOT_EXPRESSED:
            with pytest.raises(LookupError):
                method_of(row)


@pytest.mark.parametrize("row", EXPRESSED)
def test_as_many_parameters_train(row: dict[str, str], bases: dict[int, PreTrainedModel]) -> None:
    method, logged = method_of(row)
    assert count(bases, method, knobs_of(method, logged)) == int(row["num_trainable_params"])

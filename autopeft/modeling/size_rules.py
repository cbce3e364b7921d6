"""Sizes that must fit the layers they are put on: refused before wrapping, with the nearest value that fits.

The rules are those that peft 0.21.2's layers check while they are made (tuners/<method>/layer.py); OFT's layers would
take the nearest divisor themselves, so that something else would train than what was asked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from math import gcd

from peft import PeftConfig
from torch import nn

from autopeft.domain.methods import MethodSpec
from autopeft.domain.step_checks import nearest_that_works
from autopeft.errors import ModelError

# Whether a value fits a layer of so many inputs and outputs.
Rule = Callable[[int, int, int], bool]


def _divides_both(value: int, inputs: int, outputs: int) -> bool:
    return gcd(inputs, outputs) % value == 0


def _divides_inputs(value: int, inputs: int, outputs: int) -> bool:
    return inputs % value == 0


def _pairs_within_outputs(value: int, inputs: int, outputs: int) -> bool:
    return value % 2 == 0 and outputs % value == 0


def _at_most_the_entries(value: int, inputs: int, outputs: int) -> bool:
    return value <= inputs * outputs


def _leaves_entries_over(value: int, inputs: int, outputs: int) -> bool:
    return value * (inputs + outputs) <= inputs * outputs


def _at_most_the_inputs(value: int, inputs: int, outputs: int) -> bool:
    return value <= inputs


# PeftType -> field of its configuration -> the rule, and how it reads after "must".
RULES: Mapping[str, Mapping[str, tuple[Rule, str]]] = {
    "C3A": {"block_size": (_divides_both, "divide the inputs and the outputs")},
    "VBLORA": {"vector_length": (_divides_both, "divide the inputs and the outputs")},
    "GRALORA": {"gralora_k": (_divides_both, "divide the inputs and the outputs")},
    "ROAD": {"group_size": (_pairs_within_outputs, "be even and divide the outputs")},
    "OFT": {"oft_block_size": (_divides_inputs, "divide the inputs")},
    "BOFT": {"boft_block_size": (_divides_inputs, "divide the inputs")},
    "FOURIERFT": {"n_frequency": (_at_most_the_entries, "be at most the entries")},
    "WAVEFT": {"n_frequency": (_at_most_the_entries, "be at most the entries")},
    "SHIRA": {"r": (_leaves_entries_over, "leave r * (inputs + outputs) within the entries")},
    "MISS": {"r": (_at_most_the_inputs, "be at most the inputs")},
}


def check_sizes(model: nn.Module, config: PeftConfig, method: MethodSpec) -> None:
    """Assert that the sizes in `config` fit every layer that it targets.

    Args:
        model: not yet wrapped.
        config: for it.
        method: named in the error, with its own names of the knobs.

    Raises:
        ModelError: one does not; the hint names the nearest value that fits every layer, if there is one.
    """
    for field, (fits, reads) in RULES.get(method.builder, {}).items():
        asked = getattr(config, field)
        layers = dict(_targeted(model, config))
        for name, (inputs, outputs) in layers.items():
            if asked and not fits(asked, inputs, outputs):
                knob = next((k.name for k in method.knobs if k.argument == field), field)
                raise ModelError(
                    f"{knob} {asked} of {method.id} must {reads} of {name}, which has {inputs} and {outputs}",
                    hint=_advice(knob, asked, fits, list(layers.values()))
                    or f"no value fits every layer; use {nearest_that_works(method)}",
                )


def _targeted(model: nn.Module, config: PeftConfig) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names of the targeted matrices, each with its inputs and outputs."""
    named = config.target_modules
    endings = () if isinstance(named, str) else tuple(f".{name}" for name in named or ())
    for name, module in model.named_modules():
        inputs = getattr(module, "in_features", None) or getattr(module, "nx", None)
        outputs = getattr(module, "out_features", None) or getattr(module, "nf", None)
        targeted = re.fullmatch(named, name) if isinstance(named, str) else f".{name}".endswith(endings)
        if targeted and inputs and outputs:
            yield name, (inputs, outputs)


def _advice(knob: str, asked: int, fits: Rule, layers: list[tuple[int, int]]) -> str | None:
    most = max(max(pair) for pair in layers) if len(layers) else 0
    fitting = [value for value in range(1, max(most, asked) + 1) if all(fits(value, *pair) for pair in set(layers))]
    if not fitting:
        return None
    return f"the nearest that fits every layer is {knob}={min(fitting, key=lambda value: abs(value - asked))}"

"""The ranks that a model's layers allow: what exceeds them would fail in its first step, and is never proposed."""

from collections.abc import Iterable, Mapping

from torch import nn
from transformers import PreTrainedModel

from autopeft.api.preparation import Subject
from autopeft.api.search_ranges import Ranges, with_ranges
from autopeft.domain.knobs import Hyperparameters
from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec
from autopeft.errors import InputError, RankError
from autopeft.memory.structure import wrap_for_trace
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.heads import head_modules

RANK = "r"


def within_layers(
    subject: Subject, shape: StepShape, methods: Mapping[str, MethodSpec], ranges: Ranges, searched: Iterable[str]
) -> Ranges:
    """The ranges with each method's greatest rank lowered to what its narrowest adapted layer allows.

    Nothing is wrapped where every layer of the model is wider than every rank, which is the common case.

    Args:
        subject: model and task.
        shape: of a step; it decides the head.
        methods: by id.
        ranges: that differ from the catalogue's so far.
        searched: ids of the methods that are proposed.
    """
    base = build_on_meta(subject.model, subject.task, shape)
    narrowest = _narrowest_layer(base)
    found = {name: dict(own) for name, own in ranges.items()}
    for name in searched:
        method = with_ranges(methods, ranges)[name]
        knob = next((knob for knob in method.knobs if knob.argument == RANK and knob.kind == "int"), None)
        if knob is None or knob.high is None or knob.low is None or knob.high <= narrowest:
            continue
        values = {one.name: one.default for one in method.knobs} | {knob.name: int(knob.high)}
        greatest = _greatest_rank(base, method, values, knob.name, subject)
        if greatest < knob.high:
            found[name] = found.get(name, {}) | {knob.name: (min(knob.low, greatest), greatest)}
    return found


def _narrowest_layer(base: PreTrainedModel) -> int:
    """The shorter side of the smallest matrix that an adapter may be put on; 0 where there is none."""
    heads = [id(module) for name in head_modules(base) for module in base.get_submodule(name).modules()]
    weights = [
        module.weight
        for module in base.modules()
        if id(module) not in heads and not isinstance(module, nn.Embedding) and hasattr(module, "weight")
    ]
    return min((min(weight.shape) for weight in weights if weight.dim() == 2), default=0)


def _greatest_rank(
    base: PreTrainedModel, method: MethodSpec, values: Hyperparameters, knob: str, subject: Subject
) -> int:
    """The rank in `values`, lowered until no layer refuses it; other refusals are for the trial to meet."""
    while True:
        try:
            wrap_for_trace(base, method, values, subject.task, subject.architecture)
        except RankError as refusal:
            values = {**values, knob: refusal.greatest}
        except InputError:
            break
        else:
            break
    return int(values[knob])

"""Combinations of a method and a step that cannot work, each with its reason and what does."""

from dataclasses import fields
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from autopeft.domain.memory import StepShape
from autopeft.domain.methods import MethodSpec

# By a method's family, the one most like it that every architecture of the catalogue takes (docs/capabilities.md).
_TAKEN_EVERYWHERE = {"selective": "ln-tuning", "additive": "pfeiffer"}


class Refusal(NamedTuple):
    """Why something cannot be, in one line, and what to do instead."""

    message: str
    hint: str


def nearest_that_works(method: MethodSpec) -> str:
    """The id of the method to use where `method` cannot be put on a model: of its family if there is one, else LoRA."""
    nearest = _TAKEN_EVERYWHERE.get(method.family, "lora")
    return "lora" if nearest == method.id else nearest


def refused_shape(shape: StepShape) -> Refusal | None:
    """Why no method can run such a step, or None."""
    if unknown := _unknown_choice(shape):
        return unknown
    for name in ("accumulation", "gpus"):
        if getattr(shape, name) < 1:
            return Refusal(f"{name} is {getattr(shape, name)}, which makes no sense", "it must be 1 or more")
    if shape.upcast != "none" and shape.quantization is None:
        return Refusal(
            f"there is nothing to upcast ({shape.upcast}): the base is not quantised",
            "name a --quantization, or leave --upcast-unquantized out",
        )
    if shape.attention == "flash" and shape.matrix_dtype == "float32":
        return Refusal("flash attention has no float32 kernel", "use --dtype bfloat16, or --attention sdpa")
    if shape.gpus > 1 and shape.sharding == "fsdp" and shape.quantization == "int8":
        return Refusal(
            "FSDP cannot shard an int8 base: it flattens parameters of one floating type",
            "use --quantization nf4-double, or --sharding ddp",
        )
    return None


def refused_method(method: MethodSpec, shape: StepShape) -> Refusal | None:
    """Why this method cannot run such a step, or None; a recorded configuration is taken as it is."""
    if method.as_recorded:
        return None
    # Nothing is known beforehand of what a recorded configuration can do: the trace finds out.
    if shape.quantization is not None and not method.as_recorded and method.can("quantized_base") is not True:
        return _refused(method, "quantized_base", "train on a quantised base", "leave --quantization out, or use lora")
    if shape.quantization == "int8" and method.can("int8_base") is False:
        return _refused(
            method,
            "int8_base",
            "train on an 8-bit base",
            "take 4 bits: --quantization nf4, or --base-precision nf4 in search; or use lora",
        )
    if shape.quantization is None and method.can("needs_quantized_base"):
        return Refusal(
            f"{method.id} makes up for what quantising the base loses, and this base is not quantised",
            "quantise it: --quantization nf4, or --base-precision nf4 in search; or use lora",
        )
    if shape.gradient_checkpointing and method.can("gradient_checkpointing") is False:
        return _refused(
            method,
            "gradient_checkpointing",
            "run with gradient checkpointing",
            "leave --gradient-checkpointing out and lower --batch-size, or use lora",
        )
    return None


def refused_division(method: MethodSpec) -> Refusal | None:
    """Why a search does not train this method on a model that is divided over devices, or None."""
    if method.can("sharded") is True:
        return None
    return _refused(method, "sharded", "train on a model that is divided over GPUs", "leave --gpus-per-trial out")


def _refused(method: MethodSpec, capability: str, what: str, hint: str) -> Refusal:
    known = method.capabilities.get(capability)
    if known is None:
        return Refusal(f"nobody has checked whether {method.id} can {what}", hint)
    verdict = f"whether {method.id} can {what} is open" if known.value is None else f"{method.id} cannot {what}"
    return Refusal(f"{verdict}: {known.provenance.strip()}", hint)


def _unknown_choice(shape: StepShape) -> Refusal | None:
    """A value that is none of its field's names; the command line refuses these itself, Python callers may err."""
    hints = get_type_hints(StepShape)
    for one in fields(StepShape):
        allowed = _names(hints[one.name])
        value = getattr(shape, one.name)
        if allowed and value not in allowed:
            known = ", ".join(name for name in allowed if name is not None)
            return Refusal(f"{one.name} cannot be {value!r}", f"use one of {known}")
    return None


def _names(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, with None where it may be None; nothing for other types."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) is UnionType or type(None) in get_args(hint):
        names = [name for part in get_args(hint) for name in _names(part)]
        return (*names, None) if names else ()
    return ()

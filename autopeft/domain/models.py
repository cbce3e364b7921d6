"""Base models and the module names of their architectures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autopeft.domain.methods import Source

Kind = Literal["encoder", "decoder", "encoder-decoder"]
# bitsandbytes' layouts of frozen weights; `nf4-double` quantises the statistics again.
Quantization = Literal["nf4", "nf4-double", "int8"]


@dataclass(frozen=True, slots=True)
class ArchitectureSpec:
    """Module names of a family of models (`search_spaces/architectures/<id>.yaml`).

    Attributes:
        id: such as `bert`.
        model_types: values of `model_type` in config.json that share these names.
        kind: encoder, decoder or encoder-decoder.
        roles: role (`query`, `ffn_out`, ...) -> dotted module name endings; `*` stands for a layer number.
            A role that the family lacks is an empty tuple.
        has_biases: whether its linear layers carry biases.
        has_linear_layers: whether its matrices are torch's Linear; GPT-2's are Conv1D, which few methods take.
        sources: the modelling file they were read from.
    """

    id: str
    model_types: tuple[str, ...]
    kind: Kind
    roles: Mapping[str, tuple[str, ...]]
    has_biases: bool
    sources: tuple[Source, ...] = ()
    has_linear_layers: bool = True


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A base model: its config, and its weights where they lie on disk.

    Attributes:
        name: hub id or path, as the user wrote it.
        config: the content of config.json.
        path: the local folder with the weights, or None when only the config is known.
        source: where the config comes from.
        quantization: in which layout training holds the weights; None for those of the files, in float32.
        unpacked: whether quantised weights are turned back into float32, with what they lost: to merge into.
    """

    name: str
    config: Mapping[str, Any]
    path: Path | None = None
    source: str = ""
    quantization: Quantization | None = None
    unpacked: bool = False

    @property
    def model_type(self) -> str:
        """`model_type` of the config; empty when it names none."""
        return str(self.config.get("model_type", ""))

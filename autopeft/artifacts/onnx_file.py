"""A merged model as an ONNX file, compared with the model that it was made of."""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autopeft.errors import MissingDependencyError, ModelError
from autopeft.modeling.config import first_line

OUTPUT = "logits"
DECODER_INPUT = "decoder_input_ids"
# A protocol buffer ends at 2 GiB; larger weights go into a file beside it.
_GREATEST_SINGLE_FILE_BYTES = 1_900_000_000
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class _Logits(nn.Module):
    """A model that takes its tensors by place and gives logits alone: what a graph can have."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = tuple(names)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Logits, (rows, ..., outputs)."""
        logits: Tensor = self.model(**dict(zip(self.names, tensors, strict=True))).logits
        return logits


def require_onnx() -> None:
    """See that the extra is here.

    Raises:
        MissingDependencyError: one of its packages is not.
    """
    from importlib.util import find_spec

    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(f"{' and '.join(missing)} not installed", hint="pip install 'autopeft[onnx]'")


def decoder_inputs(model: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What an encoder-decoder's graph takes: tokens written so far in the place of labels, which no file shifts.

    Args:
        model: of transformers, or peft's around it.
        batch: with labels.
    """
    inputs = {name: part for name, part in batch.items() if name != "labels"}
    return inputs | {DECODER_INPUT: model.prepare_decoder_input_ids_from_labels(batch["labels"])}


def write_onnx(model: Any, batch: Mapping[str, Tensor], path: Path) -> None:
    """Export a plain transformers model with free batch and sequence lengths.

    Args:
        model: on the CPU, in evaluation mode.
        batch: two rows or more of what it takes; (rows, tokens) each. `decoder_input_ids` have a length of their own.
        path: of the file.

    Raises:
        ModelError: torch cannot turn this architecture into a graph.
    """
    model.config.use_cache = False
    if DECODER_INPUT in batch:
        model.set_attn_implementation(
            "eager"
        )  # torch cannot lower the fused one where cross-attention is free in length
    rows, lengths = torch.export.Dim("batch"), {DECODER_INPUT: torch.export.Dim("target")}
    sequence = torch.export.Dim("sequence")
    dimensions = tuple({0: rows, 1: lengths.get(name, sequence)} for name in batch)
    wrapped = _Logits(model, list(batch)).eval()
    with _quiet():
        try:
            program = torch.onnx.export(
                wrapped,
                tuple(batch.values()),
                dynamo=True,
                input_names=list(batch),
                output_names=[OUTPUT],
                dynamic_shapes=(dimensions,),
                verbose=False,
            )
        except Exception as error:  # the exporter wraps whatever went wrong in kinds of its own
            raise ModelError(
                f"torch cannot export {type(model).__name__} to ONNX: {first_line(error)}",
                hint="`autopeft merge` writes it for transformers",
            ) from error
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        assert program is not None  # as dynamo=True gives one
        program.save(str(path), external_data=size > _GREATEST_SINGLE_FILE_BYTES)


def onnx_outputs(path: Path, batches: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """The logits of each batch, by onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [
        torch.from_numpy(session.run([OUTPUT], {name: part.numpy() for name, part in batch.items()})[0])
        for batch in batches
    ]


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter talks about what it left out; what matters in the graph is compared."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

"""What an estimate takes for granted, one sentence each."""

from autopeft.domain.memory import StepShape

_OPTIMIZERS = {
    "adamw": "AdamW in its foreach form",
    "adamw-fused": "AdamW in its fused form",
    "adamw-for-loop": "AdamW one parameter at a time",
    "adamw-8bit": "bitsandbytes' 8-bit AdamW",
    "paged-adamw-8bit": "bitsandbytes' paged 8-bit AdamW",
    "paged-adamw-32bit": "bitsandbytes' paged 32-bit AdamW",
    "adafactor": "torch's Adafactor, one parameter at a time",
    "sgd": "SGD without momentum",
}
_LAYOUTS = {
    "nf4": "4-bit NF4 in blocks of 64",
    "nf4-double": "4-bit NF4 in blocks of 64, their statistics quantised again",
    "int8": "8-bit, without outlier columns",
}
_UPCASTS = {
    "none": "unquantised parameters keep their dtype",
    "norms": "norms go to float32, as trl does",
    "all": "all unquantised parameters go to float32, as peft's prepare_model_for_kbit_training does",
}
_SHARDINGS = {
    "ddp": "each of {gpus} devices holds the model and gradient buckets of its gradients' size, and runs such a step",
    "fsdp": "weights, gradients and optimizer divided over {gpus} devices; gathered at once: what lies outside the "
    "layers, and two layers; each device runs such a step",
}


def assumptions_of(shape: StepShape, *, device: str, padded: bool, how: str) -> tuple[str, ...]:
    """The assumptions behind an estimate.

    Args:
        shape: of the step.
        device: `cuda` or `cpu`.
        padded: whether batches hold padding.
        how: how the step was traced.
    """
    mask = "padded, so attention runs with a mask" if padded else "none of them padded"
    given = [
        f"one step of {shape.batch_size} sequences of {shape.max_length} tokens, {mask}",
        f"weights in {shape.dtype}, {_OPTIMIZERS[shape.optimizer]}, two steps {how}",
    ]
    given += _on_options(shape)
    if device == "cuda":
        given.append(
            "fused attention and dropout as CUDA runs them; with cuBLAS's workspaces, without the CUDA context"
        )
        given.append(
            "reserved memory: default allocator settings, the first batch a twentieth shorter, the longest one met "
            "with an emptied cache, and 0.37 % for a long run"
        )
    else:
        given.append("bytes of tensors on a CPU, without its allocator")
    return (*given, "without torch.compile, which changes what is kept and fused")


def _on_options(shape: StepShape) -> list[str]:
    """One sentence for each option that the user turned."""
    said = []
    if shape.quantization is not None:
        said.append(f"base in {_LAYOUTS[shape.quantization]}, as bitsandbytes lays it out; {_UPCASTS[shape.upcast]}")
    if shape.quantization == "int8" and shape.gradient_checkpointing:
        said.append("bitsandbytes' 8-bit layers keep their inputs even where activations are recomputed")
    if shape.dtype == "float16":
        said.append("what trains is in float32 under float16 autocast, since float16 gradients cannot be unscaled")
    if shape.optimizer.startswith("paged"):
        said.append("paged optimizer state of 100,000 elements and more lies in managed memory, counted as the host's")
    if shape.accumulation > 1:
        said.append(f"{shape.accumulation} micro-batches in a step; from the second on, gradients exist already")
    if shape.attention == "flash":
        said.append("flash attention without a mask; what unpadding copies is not counted")
    if shape.gpus > 1:
        said.append(_SHARDINGS[shape.sharding].format(gpus=shape.gpus))
        said.append("a predicted time leaves out what the devices send each other, which hangs on how they are joined")
    return said

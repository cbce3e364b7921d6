"""Options of a step that change its memory."""

from dataclasses import replace
from typing import Any

import pytest

from autopeft.domain.memory import COMPONENTS, MemoryEstimate, StepShape
from autopeft.errors import ModelError
from autopeft.memory.batch import empty_batch
from autopeft.memory.operators import Operators
from autopeft.memory.phases import highest
from autopeft.memory.pricing import Pricing, price
from autopeft.memory.sharding import shared, units_of
from autopeft.memory.stream import find_peak
from autopeft.memory.trace import trace_steps
from autopeft.modeling.build import build_on_meta
from autopeft.modeling.step import build_optimizer
from autopeft.modeling.wrap import wrap

SHAPE = StepShape(batch_size=4, max_length=64, target_length=32, dtype="bfloat16")


def _pricing(tiny: Any, method: str, kind: str, shape: StepShape = SHAPE, **options: Any) -> Pricing:
    depth = {"num_layers": 2, "num_decoder_layers": 2} if kind == "t5" else {"num_hidden_layers": 2}
    return replace(tiny.pricing(kind, method, shape, **options), model=tiny.model(kind, **depth))


def _estimate(tiny: Any, method: str = "lora", kind: str = "llama", **changes: Any) -> MemoryEstimate:
    found = price(_pricing(tiny, method, kind, replace(SHAPE, **changes)))
    parts = found.components_bytes
    assert sum(parts[name] for name in COMPONENTS) == found.peak_bytes
    assert found.reserved_bytes == found.peak_bytes + parts["allocator_overhead"]
    assert found.peak_bytes == max(found.phase_peak_bytes.values()) == found.phase_peak_bytes[found.peak_phase]
    return found


def test_a_quantised_base_takes_less_and_keeps_its_parameters(tiny: Any) -> None:
    plain = _estimate(tiny)
    for layout in ("nf4", "int8"):
        found = _estimate(tiny, quantization=layout)
        assert found.components_bytes["weights"] < plain.components_bytes["weights"]
        assert found.total_parameters == plain.total_parameters
        assert found.step_flops == plain.step_flops


def test_an_8bit_base_keeps_the_inputs_of_its_layers_and_a_4bit_one_does_not(tiny: Any) -> None:
    four, eight = (_estimate(tiny, "ln-tuning", quantization=layout) for layout in ("nf4", "int8"))
    assert eight.components_bytes["activations"] > four.components_bytes["activations"]


def test_recomputing_does_not_free_what_an_8bit_base_keeps(tiny: Any) -> None:
    four, eight = (
        _estimate(tiny, quantization=layout, gradient_checkpointing=True, batch_size=8) for layout in ("nf4", "int8")
    )
    config = tiny.model("llama").config
    widths = 3 * config["hidden_size"] + config["intermediate_size"]  # q, k, v share one input, so do gate and up
    inputs = 8 * 64 * 2 * widths  # tokens, bytes; of one of the two layers, the other is on its way
    added = eight.components_bytes["activations"] - four.components_bytes["activations"]
    assert added >= inputs


def test_norms_in_float32_turn_the_residual_stream_to_float32(tiny: Any) -> None:
    options = {"quantization": "nf4", "autocast": "bfloat16", "gradient_checkpointing": True}
    kept, upcast = (_estimate(tiny, upcast=upcast, **options) for upcast in ("none", "norms"))
    assert upcast.components_bytes["activations"] > kept.components_bytes["activations"]


@pytest.mark.parametrize("method", ["full", "pissa"])
def test_a_method_that_is_not_known_to_take_a_quantised_base_is_refused(tiny: Any, method: str) -> None:
    with pytest.raises(ModelError, match="quantised base") as caught:
        _estimate(tiny, method, "bert", quantization="nf4")
    assert caught.value.hint


def test_prefixes_are_refused_recomputation(tiny: Any) -> None:
    with pytest.raises(ModelError, match="checkpointing") as caught:
        _estimate(tiny, "prefix-tuning", gradient_checkpointing=True)
    assert "lora" in str(caught.value.hint)


def test_optimizers_order_by_their_state(tiny: Any) -> None:
    def state(name: Any) -> int:
        return _estimate(tiny, "full", batch_size=1, max_length=8, optimizer=name).components_bytes["optimizer"]

    bytes_of = {name: state(name) for name in ("adamw", "adamw-fused", "adamw-8bit", "adafactor", "sgd")}
    assert bytes_of["sgd"] == 0 < bytes_of["adafactor"] < bytes_of["adamw-8bit"] < bytes_of["adamw"]
    assert bytes_of["adamw-fused"] >= bytes_of["adamw"]


def test_the_form_of_adamw_decides_about_its_temporaries(tiny: Any) -> None:
    def update(name: Any) -> int:
        return _estimate(tiny, "full", optimizer=name).phase_peak_bytes["optimizer"]

    assert update("adamw-fused") < update("adamw-for-loop") < update("adamw")


def test_float16_trains_float32_masters_under_autocast(tiny: Any) -> None:
    half, single = (
        _estimate(tiny, "full", dtype=dtype, batch_size=1, max_length=8) for dtype in ("float16", "float32")
    )
    for part in ("weights", "gradients", "optimizer"):
        assert half.components_bytes[part] == single.components_bytes[part]
    adapted, exact = (_estimate(tiny, "lora", dtype=dtype) for dtype in ("float16", "float32"))
    assert adapted.components_bytes["adapter"] == exact.components_bytes["adapter"]
    assert adapted.components_bytes["weights"] < exact.components_bytes["weights"]


def test_eager_attention_keeps_its_scores_and_flash_needs_no_mask(tiny: Any) -> None:
    fused, eager = (_estimate(tiny, attention=kind) for kind in ("sdpa", "eager"))
    assert eager.components_bytes["activations"] > fused.components_bytes["activations"]
    shape = replace(SHAPE, attention="flash")
    assert price(_pricing(tiny, "lora", "llama", shape, padded=True)).peak_bytes == _estimate(tiny).peak_bytes


def test_two_micro_batches_show_the_peak_of_four(tiny: Any) -> None:
    pricing = _pricing(tiny, "full", "llama")
    peaks = {}
    for count in (1, 2, 4):
        base = build_on_meta(pricing.model, pricing.task, SHAPE)
        model = wrap(base, pricing.method, pricing.hyperparameters, pricing.task, pricing.architecture)
        optimizer = build_optimizer(model, pricing.hyperparameters)
        batch = empty_batch(pricing.task, SHAPE)
        peaks[count] = find_peak(trace_steps(model, batch, optimizer, operators=Operators(), micro_batches=count))
    assert peaks[2].peak_bytes == peaks[4].peak_bytes
    assert peaks[2].phase_peak_bytes == peaks[4].phase_peak_bytes
    assert peaks[2].phase_peak_bytes["forward"] > peaks[1].phase_peak_bytes["forward"]


def test_accumulation_multiplies_the_work(tiny: Any) -> None:
    once, five = _estimate(tiny), _estimate(tiny, accumulation=5)
    assert five.step_flops == 5 * once.step_flops
    assert five.peak_bytes > once.peak_bytes


@pytest.mark.parametrize("kind", ["llama", "bert", "t5"])
def test_evaluation_and_generation_are_phases(tiny: Any, kind: str) -> None:
    phases = _estimate(tiny, kind=kind, inference=True).phase_peak_bytes
    training = ["load", "forward", "backward", "optimizer"]
    generated = [] if kind == "bert" else ["generation"]
    assert list(phases) == [*training, "evaluation", *generated]
    assert phases["evaluation"] < phases["backward"]


def test_generation_pays_for_keys_and_values(tiny: Any) -> None:
    longer, shorter = (_estimate(tiny, inference=True, max_length=length).phase_peak_bytes for length in (2048, 1024))
    config = tiny.model("llama").config
    head_size = config["hidden_size"] // config["num_attention_heads"]
    of_a_token = 2 * 2 * config["num_key_value_heads"] * head_size  # keys and values of two layers
    keys_and_values = of_a_token * 2 * SHAPE.batch_size  # in bfloat16
    assert longer["generation"] - shorter["generation"] >= 1024 * keys_and_values


def test_data_parallel_adds_buckets_of_the_gradients(tiny: Any) -> None:
    alone, together = _estimate(tiny, "full"), _estimate(tiny, "full", gpus=2)
    added = together.peak_bytes - alone.peak_bytes
    assert 2 * alone.trainable_parameters <= added <= 2 * alone.trainable_parameters + 512
    assert together.components_bytes["gradients"] - alone.components_bytes["gradients"] == added


def test_sharding_divides_what_training_keeps(tiny: Any) -> None:
    alone = _estimate(tiny, "full")
    pricing = _pricing(tiny, "full", "llama")
    units = units_of(
        wrap(
            build_on_meta(pricing.model, pricing.task, SHAPE),
            pricing.method,
            pricing.hyperparameters,
            pricing.task,
            pricing.architecture,
        )
    )
    found = _estimate(tiny, "full", gpus=4, sharding="fsdp")
    assert units.trained_bytes == 2 * alone.trainable_parameters
    layers = pricing.model.config["num_hidden_layers"]
    assert units.root_bytes + layers * units.layer_bytes == units.trained_bytes
    state, whole = found.phase_peak_bytes["load"], alone.phase_peak_bytes["load"]
    slack = 512 * alone.trainable_parameters // 1000
    assert abs(state - whole / 4) < slack
    assert found.components_bytes["activations"] == alone.components_bytes["activations"]
    assert _estimate(tiny, "full", gpus=8, sharding="fsdp").peak_bytes < found.peak_bytes


@pytest.mark.parametrize("changes", [{"quantization": "nf4-double"}, {"quantization": "int8"}, {"inference": True}])
def test_shallow_traces_repeat_to_the_deep_one(tiny: Any, changes: dict[str, Any]) -> None:
    model = tiny.model("llama", num_hidden_layers=9)
    shape = replace(SHAPE, gpus=2, sharding="fsdp" if "inference" in changes else "ddp", **changes)
    pricing = replace(tiny.pricing("llama", "lora", shape), model=model)
    repeated = price(pricing)
    assert "repeated" in " ".join(repeated.assumptions)
    deep = pricing.traced()
    assert deep.counts.total == repeated.total_parameters
    streams = [stream for stream in (deep.stream, deep.inference) if stream is not None]
    peak, _ = highest([shared(stream, deep.units, shape) for stream in streams], "cuda")
    assert peak.phase_peak_bytes == repeated.phase_peak_bytes


def test_what_was_turned_is_said(tiny: Any) -> None:
    said = " ".join(
        _estimate(
            tiny, quantization="nf4", optimizer="paged-adamw-8bit", accumulation=3, gpus=2, attention="flash"
        ).assumptions
    )
    for word in ("NF4", "host", "3 micro-batches", "2 devices", "flash", "torch.compile"):
        assert word in said

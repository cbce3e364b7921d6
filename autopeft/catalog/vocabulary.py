"""The closed lists that the YAML files choose from; a contract test compares them with what is installed."""

from pathlib import Path

# peft's `PeftType` names, version 0.21.2.
# fmt: off
PEFT_BUILDERS = frozenset({
    "ADALORA", "ADAMSS", "ADAPTION_PROMPT", "BEFT", "BOFT", "C3A", "CARTRIDGE", "CPT", "DEFT", "DELORA",
    "FOURIERFT",
    "FROD", "GLORA", "GRALORA", "HIRA", "HRA", "IA3", "LILY", "LN_TUNING", "LOHA", "LOKR", "LORA", "MISS",
    "MULTITASK_PROMPT_TUNING", "OFT", "OSF", "PEANUT", "POLY", "PREFIX_TUNING", "PROMPT_TUNING", "PSOFT",
    "PVERA", "P_TUNING", "RANDLORA", "ROAD", "SHADOW", "SHIRA", "SUPERTUNING", "TINYLORA", "TRAINABLE_TOKENS",
    "UNILORA", "VBLORA", "VERA", "WAVEFT", "XLORA",
})
# fmt: on
# autopeft's own tuners: one folder each, found by name since importing them would bring torch.
_TUNERS = Path(__file__).parents[1] / "tuners"
OWN_TUNERS = frozenset(path.parent.name.upper() for path in _TUNERS.glob("*/config.py"))
# The two controls need no tuner.
OWN_BUILDERS = OWN_TUNERS | {"FULL", "HEAD"}
BUILDERS = PEFT_BUILDERS | OWN_BUILDERS

# Fields of a peft configuration that a method must not set: autopeft decides them, or they name code, files or a hub
# repository (`AutoPeftModel` imports what `auto_mapping` names, `megatron_core` is imported, the paths are opened).
REFUSED_FIELDS = frozenset({
    "auto_mapping", "base_model_name_or_path", "cache_file", "covariance_file", "inference_mode", "megatron_config",
    "megatron_core", "modules_to_save", "peft_type", "peft_version", "prompt_tuning_init_state_dict_path", "revision",
    "task_type", "tokenizer_kwargs", "tokenizer_name_or_path",
})  # fmt: skip

# What a module does in a transformer block; an architecture names its modules for each.
ROLES = (
    "query",
    "key",
    "value",
    "attention_output",
    "cross_query",
    "cross_key",
    "cross_value",
    "cross_attention_output",
    "ffn_in",
    "ffn_out",
    "query_norm",
    "key_norm",
    "attention_norm",
    "cross_attention_norm",
    "ffn_norm",
    "embedding_norm",
    "final_norm",
    "pooler",
)

# Knobs that configure training and no field of a peft configuration.
TRAINING_KNOBS = frozenset(
    {"learning_rate", "weight_decay", "rate_ratio", "projection_rank", "projection_interval", "projection_scale"}
)
# What an update rule asks of a method: its builder, and the training knobs that the rule reads.
UPDATE_RULES: dict[str, tuple[str, frozenset[str]]] = {
    "lora-plus": ("LORA", frozenset({"rate_ratio"})),
    "lora-fa": ("LORA", frozenset()),
    "galore": ("FULL", frozenset({"projection_rank", "projection_interval", "projection_scale"})),
}

# Facts about an architecture that a method may require.
REQUIREMENTS = frozenset({"has_biases", "has_linear_layers"})

# peft's `TaskType` names.
PEFT_TASK_TYPES = frozenset({"SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"})

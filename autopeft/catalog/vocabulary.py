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
TRAINING_KNOBS = frozenset({"learning_rate", "weight_decay"})

# Facts about an architecture that a method may require.
REQUIREMENTS = frozenset({"has_biases", "has_linear_layers"})

# peft's `TaskType` names.
PEFT_TASK_TYPES = frozenset({"SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"})

"""A tiny model for every model type of the catalogue: two periods of its layers and a remainder."""

from typing import Any

_ENCODER = {
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "vocab_size": 512,
}
_DECODER = {
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GEMMA = _DECODER | {"head_dim": 16, "tie_word_embeddings": True}
_T5 = {
    "d_model": 64,
    "d_ff": 128,
    "d_kv": 16,
    "num_heads": 4,
    "num_layers": 6,
    "num_decoder_layers": 6,
    "vocab_size": 512,
    "feed_forward_proj": "gated-gelu",
    "decoder_start_token_id": 0,
}
_BART = {
    "d_model": 64,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "vocab_size": 512,
    "max_position_embeddings": 128,
}
_DEBERTA = _ENCODER | {
    "relative_attention": True,
    "position_buckets": 32,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "type_vocab_size": 0,
}

TINY_CONFIGS: dict[str, dict[str, Any]] = {
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "xlm-roberta": _ENCODER,
    "camembert": _ENCODER,
    "electra": _ENCODER | {"embedding_size": 32},
    "distilbert": {
        "dim": 64,
        "hidden_dim": 256,
        "n_layers": 6,
        "n_heads": 4,
        "vocab_size": 512,
    },
    "deberta-v2": _DEBERTA,
    # Every third layer attends to the whole sequence; the first layer has no norm before its attention.
    # Every third layer attends to the whole sequence; some methods repeat from the second such layer on.
    "modernbert": _ENCODER | {"num_hidden_layers": 13, "local_attention": 16, "pad_token_id": 0},
    "gpt2": {"n_embd": 64, "n_layer": 6, "n_head": 4, "n_positions": 256, "vocab_size": 512, "eos_token_id": 2},
    "llama": _DECODER | {"tie_word_embeddings": True},
    "mistral": _DECODER | {"sliding_window": 32},
    "mixtral": _DECODER | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": _DECODER,
    "qwen3": _DECODER | {"head_dim": 16},
    "gemma": _GEMMA,
    # Every second layer attends to the whole sequence.
    "gemma2": _GEMMA | {"num_hidden_layers": 7, "sliding_window": 32, "query_pre_attn_scalar": 16},
    # Every third layer here, every sixth in the published models.
    "gemma3_text": _GEMMA | {"num_hidden_layers": 11, "sliding_window": 32, "sliding_window_pattern": 3},
    "granite": _DECODER,
    "olmo2": _DECODER,
    # Every fourth layer has no rotary positions.
    "smollm3": _DECODER | {"num_hidden_layers": 14},
    "phi": _DECODER,
    "phi3": _DECODER,
    "t5": _T5,
    "mt5": _T5 | {"tie_word_embeddings": False},
    "umt5": _T5,
    "bart": _BART,
    # A decoder of another depth than the encoder.
    "mbart": _BART | {"decoder_layers": 8},
}


def tiny_config(model_type: str) -> dict[str, Any]:
    return {"model_type": model_type} | TINY_CONFIGS[model_type]

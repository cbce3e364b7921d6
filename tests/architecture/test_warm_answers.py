"""What is in the cache is answered without torch, transformers or peft."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autopeft import estimate, recommend

CONFIG = (
    '{"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,'
    ' "num_attention_heads": 2, "vocab_size": 100, "max_position_embeddings": 64}'
)
HEAVY = ("torch", "transformers", "peft", "datasets", "sklearn", "optuna")
ASK = """
import sys
from autopeft.cli.main import main
try:
    main()
except SystemExit as stop:
    print(f"status {stop.code}", file=sys.stderr)
print("loaded", *(name for name in HEAVY if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "config.json"
    file.write_text(CONFIG)
    return str(file)


def said(*arguments: str) -> list[str]:
    """The lines that a fresh process writes to stderr."""
    code = ASK.replace("HEAVY", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=os.environ
    )
    return done.stderr.splitlines()


def test_a_recommendation_from_the_cache_loads_nothing_heavy(model: str) -> None:
    recommend(model, gpu_mem="4GB", methods=["lora", "ia3", "prefix-tuning"])
    lines = said("recommend", "--model", model, "--gpu-mem", "4GB", "--methods", "lora,ia3,prefix-tuning")
    assert "status 0" in lines
    assert lines[-1] == "loaded"


def test_an_estimate_from_the_cache_loads_nothing_heavy(model: str, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter_config.json"
    adapter.write_text('{"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}')
    estimate(model, "lora", gpu_mem="4GB")
    estimate(model, peft_config=adapter)
    for options in (("--gpu-mem", "4GB"), ("--peft-config", str(adapter))):
        lines = said("estimate", "--model", model, *options)
        assert "status 0" in lines
        assert lines[-1] == "loaded"

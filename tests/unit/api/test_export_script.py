"""`recommend --export`: the files train by themselves, and the adapter is what was recommended."""

import json
import runpy
from pathlib import Path

import pytest

from autopeft import recommend
from autopeft.errors import NothingFitsError, UsageError

ROWS = [{"text": f"row {number} is {'good' if number % 2 else 'bad'}", "label": number % 2} for number in range(12)]


@pytest.mark.parametrize(("model", "method"), [("minilm-tiny-distilled", "lora"), ("stories260k", "houlsby")])
def test_the_script_trains_and_saves_the_recommended_adapter(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, method: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answer = recommend(
        str(material / "models" / model), methods=[method], max_length=16, batch_size=4, epochs=1, dtype="float32"
    )
    answer.export(tmp_path / "out")
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    script = runpy.run_path(str(tmp_path / "out" / "train.py"))
    script["train"](data, tmp_path / "trained")
    config = json.loads((tmp_path / "trained" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["peft_type"] == method.upper()
    assert (tmp_path / "trained" / "adapter_model.safetensors").stat().st_size > 0
    start = answer.candidates[0].start
    assert script["LEARNING_RATE"] == start["learning_rate"]
    assert script["MICRO_BATCH_SIZE"] * script["ACCUMULATION"] == 4
    if method == "lora":
        assert config["r"] == start["r"]


def test_what_a_plain_loop_cannot_train_is_refused(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = str(material / "models" / "minilm-tiny-distilled")
    answer = recommend(model, methods=["diffpruning"], max_length=16, batch_size=2, dtype="float32")
    with pytest.raises(UsageError, match="more in training than a plain loop"):
        answer.export(tmp_path / "out")
    with pytest.raises(NothingFitsError, match="lora is no candidate"):
        answer.export(tmp_path / "out", "lora")
    assert not (tmp_path / "out").exists()

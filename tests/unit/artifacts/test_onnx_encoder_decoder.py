"""An encoder-decoder as ONNX: the file takes what was written so far, of any length, and answers as the adapter."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoModelForSeq2SeqLM

from autopeft.artifacts.merge import agreement, outputs
from autopeft.artifacts.onnx_file import DECODER_INPUT, decoder_inputs, onnx_outputs, write_onnx

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the exporter's own warnings


def batch(rows: int, tokens: int, written: int, seed: int) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 200, (rows, tokens), generator=drawn)
    labels = torch.randint(1, 200, (rows, written), generator=drawn)
    mask = torch.ones_like(ids)
    mask[0, tokens // 2 :] = 0
    labels[0, -1] = -100  # what fills up a shorter answer
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def test_the_file_answers_as_the_adapter_at_other_lengths(material: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    base = AutoModelForSeq2SeqLM.from_pretrained(material / "models" / "t5-tiny-news")
    config = LoraConfig(task_type=TaskType.SEQ_2_SEQ_LM, r=2, target_modules=["q", "v"], init_lora_weights=False)
    model = get_peft_model(base, config).eval()
    batches = [decoder_inputs(model, one) for one in (batch(2, 12, 5, 0), batch(3, 21, 9, 1))]
    assert all("labels" not in one and int(one[DECODER_INPUT].min()) >= 0 for one in batches)
    before = outputs(model, batches)
    write_onnx(model.merge_and_unload(), batches[0], tmp_path / "model.onnx")
    found = agreement(before, onnx_outputs(tmp_path / "model.onnx", batches))
    assert found.rows == 5
    assert found.relative_difference < 1e-4

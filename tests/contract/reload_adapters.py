"""Run by test_methods in a process of its own: load every saved adapter the way any user of peft would."""

import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)

import autopeft.tuners  # noqa: F401 - the one line that the model card names

AUTO = {
    "sequence-classification": AutoModelForSequenceClassification,
    "causal-lm": AutoModelForCausalLM,
    "seq2seq-lm": AutoModelForSeq2SeqLM,
}


def main(jobs: Path) -> None:
    warnings.simplefilter("ignore")
    for line in jobs.read_text().splitlines():
        head, base_folder, adapter, num_labels = line.split("\t")
        options = {"num_labels": int(num_labels)} if head == "sequence-classification" else {}
        is_adapter = (Path(adapter) / "adapter_config.json").exists()
        model = AUTO[head].from_pretrained(base_folder if is_adapter else adapter, dtype=torch.float32, **options)
        if model.config.pad_token_id is None:
            model.config.pad_token_id = model.config.eos_token_id
        if is_adapter:
            model = PeftModel.from_pretrained(model, adapter)
        with torch.no_grad():
            logits = model.eval()(**load_file(Path(adapter) / "batch.safetensors")).logits
        save_file({"logits": logits.contiguous()}, Path(adapter) / "reloaded.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

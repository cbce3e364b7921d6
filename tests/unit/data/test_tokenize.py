from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autopeft.data.load import load_task_data
from autopeft.data.rows import Rows
from autopeft.data.task_data import load_task_data_from
from autopeft.data.tokenize import fingerprint_of, tokenize
from autopeft.domain.tasks import TaskSpec
from autopeft.errors import DataError, ModelError, RunError, UsageError

CLS, SEP = 2, 3


def rows(texts: list[str], pairs: list[str] | None = None, labels: list[str] | None = None) -> Rows:
    columns = {"text": tuple(texts)} | ({"text_pair": tuple(pairs)} if pairs else {})
    return Rows(columns, tuple(labels or ["a"] * len(texts)), tuple(range(1, len(texts) + 1)))


def of(count: int) -> str:
    return " ".join(f"w{n % 50}" for n in range(count))


def splits(train: list[str], **others: list[str]) -> dict[str, Rows]:
    given = {"train": train, "validation": ["w1"], "test": ["w2"]} | others
    return {split: rows(texts) for split, texts in given.items()}


def test_the_length_fits_99_of_100_training_rows_in_steps_of_eight(classification: TaskSpec, tokenizer) -> None:
    data = tokenize(splits([of(9)] * 199 + [of(40)], test=[of(30)]), classification, tokenizer, label_names=["a"])
    assert data.max_length == 16  # nine words and two special tokens, rounded up
    assert data.truncated_rows == 2
    assert data.notes == ("2 rows were cut to 16 tokens",)
    cut = data.splits["test"].input_ids[0]
    assert len(cut) == 16
    assert (cut[0], cut[-1]) == (CLS, SEP)  # cut by the tokenizer, not by us


def test_the_models_limit_bounds_the_length(classification: TaskSpec, tokenizer) -> None:
    long = splits([of(60)] * 10)
    assert tokenize(long, classification, tokenizer, label_names=["a"], model_limit=20).max_length == 20
    assert tokenize(long, classification, tokenizer, label_names=["a"]).max_length == 64  # the tokenizer's
    with pytest.raises(UsageError, match="from 1 to 20 tokens in a row, not 21"):
        tokenize(long, classification, tokenizer, 21, label_names=["a"], model_limit=20)


def test_pairs_keep_both_texts_and_types_only_where_the_model_takes_them(classification: TaskSpec, tokenizer) -> None:
    pair = {split: rows(["w1 w2"], ["w3"]) for split in ("train", "validation", "test")}
    data = tokenize(pair, classification, tokenizer, label_names=["a"], accepted_arguments=("token_type_ids",))
    types = data.splits["train"].token_type_ids
    assert types is not None
    assert types[0].tolist() == [0, 0, 0, 0, 1, 1]
    assert data.batch("train", [0])["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 0, 0]]
    without = tokenize(pair, classification, tokenizer, label_names=["a"], accepted_arguments=("input_ids",))
    assert without.splits["train"].token_type_ids is None
    assert "token_type_ids" not in without.batch("train", [0])


def test_batches_pad_right_to_a_multiple_of_eight_within_the_limit(classification: TaskSpec, tokenizer) -> None:
    data = tokenize(splits([of(3), of(9)]), classification, tokenizer, 20, label_names=["a"])
    batch = data.batch("train", [1, 0])
    assert batch["input_ids"].shape == (2, 16)
    assert batch["attention_mask"].sum(1).tolist() == [11, 5]
    assert batch["input_ids"][1, 5:].tolist() == [data.pad_id] * 11
    assert batch["labels"].tolist() == [0, 0]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())
    short = replace(data, max_length=12)
    assert short.batch("train", [1])["input_ids"].shape == (1, 12)


def test_a_missing_padding_token_is_made_from_the_end_token(classification: TaskSpec, padless_tokenizer) -> None:
    data = tokenize(splits(["w1"]), classification, padless_tokenizer, label_names=["a"])
    assert data.pad_id == SEP
    assert padless_tokenizer.pad_token_id == SEP


def test_a_tokenizer_that_cannot_pad_is_refused(classification: TaskSpec, padless_tokenizer) -> None:
    padless_tokenizer.eos_token = None
    padless_tokenizer.unk_token = None
    with pytest.raises(ModelError, match="neither a padding nor an end token"):
        tokenize(splits(["w1"]), classification, padless_tokenizer, label_names=["a"])


def test_documents_are_packed_with_end_tokens_and_no_token_is_lost(causal: TaskSpec, tokenizer) -> None:
    documents = [of(n) for n in (5, 11, 2, 7)]
    data = tokenize(splits(documents), causal, tokenizer, 8)
    packed = data.splits["train"].input_ids
    assert packed.lengths.tolist() == [8, 8, 8, 8, 1][: len(packed)]
    one_by_one = [token for text in documents for token in tokenizer(text)["input_ids"]]
    assert packed.values.tolist() == one_by_one[: len(packed.values)]
    assert len(one_by_one) - len(packed.values) <= 1  # a token alone predicts nothing
    assert tokenize(splits(documents), causal, tokenizer).max_length == 64


def test_causal_labels_are_the_tokens_and_padding_is_ignored(causal: TaskSpec, tokenizer) -> None:
    data = tokenize(splits([of(9)]), causal, tokenizer, 8)
    batch = data.batch("train", [0, 1])
    assert batch["labels"][0].tolist() == batch["input_ids"][0].tolist()
    assert batch["labels"][1].tolist() == [*batch["input_ids"][1, :3].tolist(), *[-100] * 5]


def test_too_little_text_for_a_language_model(causal: TaskSpec, padless_tokenizer) -> None:
    from tokenizers import processors

    padless_tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    padless_tokenizer.eos_token = None
    with pytest.raises(DataError, match="validation split give no two tokens"):
        tokenize(splits([of(9)]), causal, padless_tokenizer)


def test_source_and_target_have_lengths_of_their_own(text_to_text: TaskSpec, tokenizer) -> None:
    part = Rows({"source": (of(20), of(3)), "target": (of(2), of(4))}, None, (1, 2))
    data = tokenize({"train": part, "validation": part, "test": part}, text_to_text, tokenizer)
    assert (data.max_length, data.max_target_length) == (24, 8)
    batch = data.batch("train", [0, 1])
    assert batch["input_ids"].shape == (2, 24)
    assert batch["labels"].shape == (2, 8)
    assert batch["labels"][0, 4:].tolist() == [-100] * 4
    assert data.splits["train"].lengths.tolist() == [26, 11]


def test_encoding_happens_once_and_is_mapped_from_disk(tmp_path: Path, classification: TaskSpec, tokenizer) -> None:
    given = splits([of(5), of(9)])
    first = tokenize(given, classification, tokenizer, None, tmp_path, label_names=["a"])
    assert isinstance(first.splits["train"].input_ids.values, np.memmap)

    class Untouchable:
        def __getattr__(self, name: str) -> object:
            return getattr(tokenizer, name)

        def __call__(self, *_: object, **__: object) -> None:
            raise AssertionError("tokenized twice")

    counting = Untouchable()
    counting.__class__.__name__ = type(tokenizer).__name__
    again = tokenize(given, classification, counting, None, tmp_path, label_names=["a"])
    assert again.to_dict() == first.to_dict()
    assert again.batch("train", [0, 1])["input_ids"].equal(first.batch("train", [0, 1])["input_ids"])
    other = tokenize(given, classification, tokenizer, 8, tmp_path, label_names=["a"])
    assert other.folder != first.folder
    assert not list(tmp_path.glob("*.tmp"))


def test_a_damaged_cache_is_rebuilt(tmp_path: Path, classification: TaskSpec, tokenizer) -> None:
    given = splits([of(5)])
    first = tokenize(given, classification, tokenizer, None, tmp_path, label_names=["a"])
    assert first.folder is not None
    (first.folder / "train.labels.npy").write_bytes(b"cut")
    with pytest.raises(RunError, match="cannot read the encoded data"):
        load_task_data_from(first.folder)
    again = tokenize(given, classification, tokenizer, None, tmp_path, label_names=["a"])
    assert again.splits["train"].labels is not None
    assert again.splits["train"].labels.tolist() == [0]


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path, classification: TaskSpec, tokenizer) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        tokenize(splits(["w1"]), classification, tokenizer, None, tmp_path / "file" / "cache", label_names=["a"])


def test_the_fingerprint_follows_texts_and_labels() -> None:
    base = splits(["w1", "w2"])
    assert fingerprint_of(base) == fingerprint_of(splits(["w1", "w2"]))
    assert fingerprint_of(base) != fingerprint_of(splits(["w1", "w3"]))
    relabelled = base | {"train": rows(["w1", "w2"], labels=["a", "b"])}
    assert fingerprint_of(base) != fingerprint_of(relabelled)


def test_a_text_without_any_token_still_makes_a_row(causal: TaskSpec, classification: TaskSpec, tokenizer) -> None:
    from tokenizers import processors

    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    data = tokenize(splits(["\u200b", "w1"]), classification, tokenizer, label_names=["a"])
    assert min(data.splits["train"].lengths) == 1


@pytest.mark.parametrize(
    ("folder", "model", "length"), [("mrpc", "minilm-tiny-distilled", 96), ("cola", "stories260k", None)]
)
def test_real_data_and_tokenizers(
    material: Path, classification: TaskSpec, folder: str, model: str, length: int | None
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(material / "models" / model)
    loaded = load_task_data(
        material / "data" / folder, classification, tokenizer, max_train_rows=2000, max_evaluation_rows=100
    )
    assert loaded.encoded.rows == {"train": 2000, "validation": 100, "test": 100}
    assert loaded.encoded.label_names == ("0", "1")
    assert length is None or loaded.encoded.max_length == length
    assert set(loaded.encoded.label_rows or {}) == {"0", "1"}
    assert len(loaded.plain.texts["train"]) == 2000

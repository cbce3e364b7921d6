import pytest

from autopeft.domain.tasks import TaskSpec

OBJECTIVES = {
    "sequence-classification": "classification",
    "causal-lm": "language-model",
    "seq2seq-lm": "generation",
}


def _task(identifier: str, head: str, columns: dict[str, tuple[str, ...]], metric: str = "loss") -> TaskSpec:
    return TaskSpec(
        id=identifier,
        title=identifier,
        objective=OBJECTIVES[head],
        head=head,
        peft_task_type="SEQ_CLS",
        metric=metric,
        maximize=metric == "accuracy",
        columns=columns,
        optional_columns=("text_pair",) if "text_pair" in columns else (),
        architectures=("encoder", "decoder", "encoder-decoder"),
        default_batch_size=8,
        default_max_length=128,
    )


@pytest.fixture
def classification() -> TaskSpec:
    columns = {"text": ("text", "sentence", "sentence1"), "text_pair": ("sentence2",), "label": ("label", "class")}
    return _task("sequence-classification", "sequence-classification", columns, "accuracy")


@pytest.fixture
def causal() -> TaskSpec:
    return _task("causal-lm", "causal-lm", {"text": ("text",)})


@pytest.fixture
def text_to_text() -> TaskSpec:
    return _task("text-to-text", "seq2seq-lm", {"source": ("source",), "target": ("target",)})


@pytest.fixture
def tokenizer():
    """A word tokenizer with [CLS] and [SEP], made without any file."""
    return word_tokenizer(pad_token="[PAD]", eos_token="[SEP]")


@pytest.fixture
def padless_tokenizer():
    return word_tokenizer(eos_token="[SEP]")


def word_tokenizer(**special: str):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(50))]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        unk_token="[UNK]",
        **special,
    )

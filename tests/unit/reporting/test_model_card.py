"""The adapter's card: valid front matter whatever the names, true figures, the lines that load it."""

from typing import Any

import pytest
import yaml

from autopeft.reporting.model_card import model_card


def front_matter(card: str) -> dict[str, Any]:
    start, matter, _ = card.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(matter)


def test_front_matter_and_figures(full: dict[str, Any]) -> None:
    card = model_card(full)
    assert front_matter(card) == {
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "library_name": "peft",
        "tags": ["autopeft", "peft", "lora-all-linear", "sequence-classification"],
    }
    assert "| LoRA on all linear layers | 0.569 ± 0.005 | 2 | 0.569 ± 0.018 |" in card
    assert "9b1de0c2a7f4" in card
    assert 'model = PeftModel.from_pretrained(base, "runs/demo/best_adapter")' in card
    assert "r=16 alpha=8" in card


@pytest.mark.parametrize("folder", ["/models/minilm", "./minilm", "../m", "C:\\models\\m", "a/b/c"])
def test_a_folder_is_no_base_model_of_the_hub(full: dict[str, Any], folder: str) -> None:
    full["asked"]["model"] = folder
    assert "base_model" not in front_matter(model_card(full))


def test_names_cannot_add_keys(full: dict[str, Any]) -> None:
    full["asked"]["task"] = 'x"\n---\nlicense: mit\nmodel: "y'
    full["best"]["method"] = full["confirmed"][0]["method"] = "a: b # c"
    matter = front_matter(model_card(full))
    assert set(matter) == {"base_model", "library_name", "tags"}
    assert matter["tags"][2:] == ["a: b # c", full["asked"]["task"]]


def test_own_tuners_are_explained(full: dict[str, Any]) -> None:
    assert "import autopeft.tuners" not in model_card(full)
    full["best"]["load"].insert(0, "import autopeft.tuners  # registers the method")
    card = model_card(full)
    assert card.count("import autopeft.tuners") == 2
    assert "which does not have it by itself" in card


def test_hostile_and_empty_results_give_a_card(hostile: dict[str, Any]) -> None:
    assert front_matter(model_card(hostile))["library_name"] == "peft"
    assert "No adapter yet" in model_card({})
    assert "None" not in model_card({})

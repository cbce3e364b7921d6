"""A user's template: roles in braces and nothing else, and the same text in training and in use."""

import pytest

from autopeft.catalog.load import load_catalog
from autopeft.data.templates import PromptForm
from autopeft.domain.prompt_template import with_template
from autopeft.errors import UsageError

CATALOG = load_catalog()
TEXT = CATALOG.task("text-to-text")


def test_a_template_replaces_the_tasks_own() -> None:
    task = with_template(CATALOG.task("classification-as-text"), "{text_pair} about {text}?")
    assert task.templates == ("{text_pair} about {text}?",)
    assert with_template(TEXT, None) is TEXT


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{source.__class__}", "brace"),
        ("{source[0]}", "brace"),
        ("{source!r}", "brace"),
        ("{}", "brace"),
        ("{source} }", "brace"),
        ("{{source}}", "brace"),
        ("{target}", "target"),
        ("{text}", "text"),
        ("nothing", "nothing"),
        ("", "nothing"),
    ],
)
def test_anything_but_a_role_is_refused(template: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_template(TEXT, template)
    assert why in caught.value.message and "{source}" in (caught.value.hint or "")


@pytest.mark.parametrize("task", sorted(CATALOG.tasks))
def test_only_tasks_that_write_take_one(task: str) -> None:
    spec = CATALOG.task(task)
    role = next(role for role in spec.columns if not spec.answers_with(role))
    if spec.objective == "generation":
        assert with_template(spec, f"{{{role}}}").templates == (f"{{{role}}}",)
    else:
        with pytest.raises(UsageError, match="no meaning"):
            with_template(spec, f"{{{role}}}")


@pytest.mark.parametrize(
    ("template", "body", "closing"),
    [
        (None, "{source}", "\n"),
        ("Say: {source}", "Say: {source}", "\n"),
        ("Q: {source}\nA:", "Q: {source}", "\nA:"),
        ("{source} or {source} ->", "{source} or {source}", " ->"),
    ],
)
def test_what_stands_behind_the_last_role_closes_a_decoders_prompt(
    template: str | None, body: str, closing: str
) -> None:
    decoder = PromptForm.of(with_template(TEXT, template).on("decoder"), ["source"])
    assert (decoder.body, decoder.closing) == (body, closing)
    whole = PromptForm.of(with_template(TEXT, template), ["source"])
    assert (whole.body, whole.closing) == (template or "{source}", "")


def test_a_text_is_no_template() -> None:
    form = PromptForm.of(
        with_template(CATALOG.task("classification-as-text"), "{text} | {text_pair}"), ["text", "text_pair"]
    )
    assert form.fill({"text": "{text_pair}", "text_pair": "{0}"}) == "{text_pair} | {0}"

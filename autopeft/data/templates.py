"""Rows written out as one text: what is asked, and what should be answered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from autopeft.data.rows import Rows
from autopeft.domain.tasks import LABEL_ROLE, PLACEHOLDER, TaskSpec
from autopeft.errors import DataError

# Between what a decoder reads and what it writes, where the template ends with a role.
PROMPT_END = "\n"
_SOURCE, _TARGET = "source", "target"


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How a row becomes the text that its answer is written after.

    Attributes:
        body: text with roles in braces; cut where a row is too long.
        closing: what a decoder reads behind it, never cut, which tells it to answer; empty for an encoder-decoder.
    """

    body: str
    closing: str

    @classmethod
    def of(cls, task: TaskSpec, roles: Collection[str]) -> "PromptForm":
        """By the first of the task's templates that fits the roles that rows have; without any, the source as it is.

        For a decoder, what the template has behind its last role is the closing; where that is nothing, a line break.

        Raises:
            DataError: no template fits.
        """
        template = next((one for one in task.templates or (f"{{{_SOURCE}}}",) if _roles(one) <= set(roles)), None)
        if template is None:
            raise DataError(
                f"no template of {task.id} fits rows with {', '.join(roles)}",
                hint="name the columns that it reads, or other roles with --prompt-template",
            )
        if task.head != "causal-lm":
            return cls(template, "")
        end = template.rindex("}") + 1
        return cls(template[:end], template[end:] or PROMPT_END)

    def fill(self, texts: Mapping[str, str]) -> str:
        """The body with each role replaced by its text; texts are not read as templates themselves."""
        return PLACEHOLDER.sub(lambda found: texts[found.group(1)], self.body)


def sources(form: PromptForm, rows: Rows) -> Sequence[str]:
    """The text that each row's answer is written after, without the closing."""
    if form.body == f"{{{_SOURCE}}}":
        return rows.texts[_SOURCE]
    columns = {role: rows.texts[role] for role in _roles(form.body)}
    return [form.fill(dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)]


def targets(task: TaskSpec, rows: Rows) -> Sequence[str]:
    """The text that should be written; of a classification the word for its label."""
    if _TARGET in rows.texts:
        return rows.texts[_TARGET]
    labels = rows.labels if rows.labels is not None else rows.texts[LABEL_ROLE]
    return [task.answer_words.get(label, label) for label in labels]


def _roles(template: str) -> set[str]:
    return set(PLACEHOLDER.findall(template))

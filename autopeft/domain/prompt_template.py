"""A user's own form of the text that a model writes its answer after."""

from dataclasses import replace

from autopeft.domain.tasks import PLACEHOLDER, TaskSpec
from autopeft.errors import UsageError

_OPTION = "--prompt-template"


def with_template(task: TaskSpec, template: str | None) -> TaskSpec:
    """The task with its rows written out by `template`, or as it is where that is None.

    A template is text with the task's roles in braces, such as `"Translate: {source}"`. Braces hold a role's name and
    nothing else: no attribute, index or format is ever looked up.

    Raises:
        UsageError: the task writes no answers, a brace stands around no role, or there is no role in it.
    """
    if template is None:
        return task
    if task.objective != "generation":
        raise UsageError(
            f"{_OPTION} has no meaning for the task {task.id}",
            hint="it is for tasks that write their answers, such as text-to-text",
        )
    roles = [role for role in task.columns if not task.answers_with(role)]
    listed = ", ".join(f"{{{role}}}" for role in roles)
    named = PLACEHOLDER.findall(template)
    strange = next((name for name in named if name not in roles), None)
    if strange is not None:
        raise UsageError(f"{_OPTION} names {{{strange}}}, which {task.id} does not read", hint=f"name {listed}")
    if "{" in (rest := PLACEHOLDER.sub("", template)) or "}" in rest:
        raise UsageError(f"{_OPTION} has a brace that stands around no name", hint=f"braces may hold {listed}")
    if not named:
        raise UsageError(f"{_OPTION} names nothing of a row", hint=f"put {listed} where the texts should stand")
    return replace(task, templates=(template,))

"""What a training row counts, where the classes are not alike in number."""

from collections.abc import Mapping

from autopeft.errors import UsageError


def balanced_weights(label_rows: Mapping[str, int] | None) -> tuple[float, ...]:
    """For each class the rows there would be if all classes had as many, over those that there are.

    So every class counts the same in all, and the mean over the training rows is 1. A class without rows counts 1.

    Args:
        label_rows: class -> training rows with it, in the order of their numbers; None where rows have no class.

    Raises:
        UsageError: the task has no classes.
    """
    if not label_rows:
        raise UsageError("--class-weights needs a task with one class a row", hint="leave it out")
    present = [count for count in label_rows.values() if count]
    even = sum(present) / len(present)
    return tuple(even / count if count else 1.0 for count in label_rows.values())


def weights_note(asked: str | None, label_rows: Mapping[str, int] | None) -> tuple[str, ...]:
    """What the classes count, said; nothing where all count alike.

    Raises:
        UsageError: weights are asked for where the task has no classes.
    """
    if asked is None:
        return ()
    weights = balanced_weights(label_rows)
    return (f"in training the classes count {min(weights):.3g} to {max(weights):.3g}, so that all count the same",)

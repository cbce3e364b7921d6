"""Rows that cannot be used: counted and left out within a limit, refused beyond it."""

from autopeft.errors import DataError

# A stray bad row is normal; more than this says that the file or the column is the wrong one.
BAD_ROW_SHARE = 0.01
BAD_ROWS = 10


class BadRows:
    """What was left out of a data set so far.

    A row that lacks a cell is left out within the limit, by default 10 rows or 1 %, whichever is more. A row that
    cannot even be read (broken JSON, another number of cells) stops everything unless the user named a limit.

    Attributes:
        limit: how many rows may be left out; None for the default.
        count: rows left out so far.
        first: why the first of them was.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Begin with none.

        Args:
            limit: how many rows may be left out over all files and splits; None for the default.
        """
        self.limit = limit
        self.count = 0
        self.first = ""

    def unreadable(self, error: DataError) -> None:
        """Count a row that cannot be read.

        Raises:
            DataError: `error` itself where the user named no limit, or one on the number of rows.
        """
        if self.limit is None:
            hint = f"{error.hint}, or leave such rows out with --max-bad-rows"
            raise DataError(error.message, hint=hint)
        self.add(error.message)
        if self.count > self.limit:
            raise DataError(
                f"{self.count} rows cannot be read ({self.limit} may, --max-bad-rows), first {self.first}",
                hint=error.hint,
            )

    def add(self, reason: str, rows: int = 1) -> None:
        """Count rows that were left out; `reason` names the place of the first."""
        self.first = self.first or reason
        self.count += rows

    def check(self, total: int, hint: str) -> None:
        """See that few enough of `total` rows were left out.

        Raises:
            DataError: too many were.
        """
        allowed = max(BAD_ROWS, int(BAD_ROW_SHARE * total)) if self.limit is None else self.limit
        if self.count > allowed:
            what = f"{self.count} of {total} rows lack a text or label"
            raise DataError(f"{what} ({allowed} may, --max-bad-rows), first {self.first}", hint=hint)

    def note(self, total: int) -> tuple[str, ...]:
        """What was left out, in one sentence; nothing where nothing was."""
        return (f"{self.count} of {total} rows were left out, first {self.first}",) if self.count else ()

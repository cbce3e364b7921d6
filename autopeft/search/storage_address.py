"""The address of a shared study's database: checked, and never shown with its password."""

from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autopeft.errors import MissingDependencyError, UsageError

# Dialect -> the driver that it is spoken to with, its module, and the extra that brings it.
DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgresql"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "sqlite": ("sqlite", "sqlite3", ""),
}

# Options of the drivers that hold one: only a password before the @ is hidden wherever the address is shown.
_SECRETS = {"password", "passwd", "sslpassword", "ssl_key_password"}


def parse_address(text: str) -> URL:
    """The address with the driver that autopeft uses.

    Raises:
        UsageError: it is none, or of a database that studies cannot be kept in.
        MissingDependencyError: its driver is not installed.
    """
    hint = "write postgresql://user@host/database or mysql://user@host/database"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text may hold a password: nothing of it is repeated.
        raise UsageError("the --storage address cannot be read", hint=hint) from None
    dialect = url.drivername.partition("+")[0]
    if dialect not in DRIVERS:
        raise UsageError(f"--storage takes no {dialect} database", hint=hint)
    if _SECRETS & set(url.query):
        raise UsageError("--storage takes its password before the @, not as an option", hint=hint)
    driver, module, extra = DRIVERS[dialect]
    if find_spec(module) is None:
        raise MissingDependencyError(f"{dialect} needs the package {module}", hint=f"pip install 'autopeft[{extra}]'")
    return url.set(drivername=driver)


def sqlite_address(path: Path) -> str:
    """The address of a database file, whatever characters its path holds."""
    return URL.create("sqlite", database=str(path)).render_as_string()

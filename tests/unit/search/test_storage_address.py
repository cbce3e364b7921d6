"""An address of a database is checked, and a password never stands where it would be shown."""

import pytest

from autopeft.errors import UsageError
from autopeft.search.storage_address import parse_address


@pytest.mark.parametrize("option", ["password", "passwd", "sslpassword"])
def test_a_password_among_the_options_is_refused_unrepeated(option: str) -> None:
    with pytest.raises(UsageError, match="before the @") as caught:
        parse_address(f"postgresql://me@host/db?{option}=hunter2")
    assert "hunter2" not in str(caught.value)

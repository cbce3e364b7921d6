"""Passwords in the addresses of databases, which nothing that is kept or shown may hold."""

import re

# A password may hold a blank.
_PASSWORD = re.compile(r"(\w[\w+]*://[^\s:/@]*):[^@]*@")


def hide_password(text: str) -> str:
    """Text without the passwords of the addresses in it."""
    return _PASSWORD.sub(r"\1@", text)

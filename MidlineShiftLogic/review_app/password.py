"""Read the password of a review from a file: on the command line other users of the machine would see it."""

from __future__ import annotations

from pathlib import Path

from MidlineShiftLogic.errors import InputError

SHORTEST = 12


def read_password(file: Path | None) -> str:
    """Return the first line of ``file``; "" without a file.

    Raises:
        InputError: The file cannot be read, or the password is too short.
    """
    if file is None:
        return ""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The password file {file} cannot be read; check the path.", "password") from error
    password = lines[0].strip() if lines else ""
    if len(password) < SHORTEST:
        raise InputError(f"The first line of {file} must be a password of at least {SHORTEST} characters.", "password")
    return password

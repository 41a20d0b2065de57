"""What can go wrong, in the two forms a user meets: bad input, and a scan that was read but must not be measured."""

from __future__ import annotations


class MidlineShiftError(Exception):
    """Base of every error whose message is meant for the user: one sentence saying what, where and what to do."""

    exit_code = 1

    def __init__(self, message: str, code: str = "error"):
        super().__init__(message)
        self.code = code


class InputError(MidlineShiftError):
    """The input or the usage is wrong (no such file, not a scan, missing spacing, broken model folder)."""

    exit_code = 2


class RefusedError(MidlineShiftError):
    """The scan was read, but a number measured on it could not be trusted; ``code`` names the failed check."""

    exit_code = 3


class Cancelled(MidlineShiftError):
    """The caller asked to stop; nothing was written."""

    exit_code = 1

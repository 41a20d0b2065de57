"""Define the errors that a user meets, and turn any error into one sentence."""

from __future__ import annotations

import errno

from MidlineShiftLogic.text import clean_text


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


DISTRIBUTIONS = {"yaml": "PyYAML", "dicomweb_client": "dicomweb-client"}
"""Packages whose name on the package index is not the one they are imported by."""


OUTPUT_ERRORS = {
    errno.ENOSPC: "no space is left on its disk; free some, or choose another folder",
    errno.EDQUOT: "the quota of its disk is used up; free some space, or choose another folder",
    errno.EFBIG: "files may not become so large there; choose another folder",
    errno.EROFS: "its disk is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long for its disk; give it a shorter one",
}
"""Errors of the place where results are written: the user mends them, and exit codes rank them as wrong input."""


def error_code(error: BaseException) -> str:
    """Return the code that results and JSON lines name an error by."""
    if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
        return "out"
    return getattr(error, "code", "internal")


def format_error(error: BaseException) -> str:
    """Return what went wrong and what to do, as one sentence on one line."""
    return clean_text(_sentence(error))


def _sentence(error: BaseException) -> str:
    if isinstance(error, MidlineShiftError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("MidlineShiftLogic"):
        package = error.name.partition(".")[0]
        distribution = DISTRIBUTIONS.get(package, package)
        return f"The Python package {package!r} is missing; install it with: python -m pip install {distribution}"
    # torch's out-of-memory error by its name: torch itself may not be imported, or not be importable.
    if type(error).__name__ == "OutOfMemoryError":
        return "The GPU has too little free memory; close other programs that use it, or choose --device cpu."
    if isinstance(error, MemoryError):
        return "This machine has too little free memory for this scan; close other programs and try again."
    if isinstance(error, OSError) and error.errno in OUTPUT_ERRORS:
        verb = "use" if error.errno == errno.ENAMETOOLONG else "write"  # a name that is only looked up, too
        return f"Cannot {verb} {error.filename or 'the results'}: {OUTPUT_ERRORS[error.errno]}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    return (
        f"Something went wrong inside midlineshift ({type(error).__name__}: {error}); "
        "please report it with the output of: midlineshift --debug measure ..."
    )

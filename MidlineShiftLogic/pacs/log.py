"""The listener's log: times and job numbers; no names, no identifiers, no messages of libraries."""

from __future__ import annotations

import logging
import sys
import warnings
from logging.handlers import RotatingFileHandler
from pathlib import Path

from MidlineShiftLogic.errors import InputError

FILE_BYTES, FILES = 5_000_000, 5


def start_log(file: Path | None = None) -> None:
    """Write the log to standard error, or to a file that is rotated before it grows large.

    Raises:
        InputError: the file cannot be written.
    """
    # Warnings of libraries quote header values.
    warnings.simplefilter("ignore")
    for name in ("pynetdicom", "pydicom", "dicomweb_client", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        handler = (
            RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8")
            if file
            else logging.StreamHandler(sys.stderr)
        )
    except OSError as error:
        raise InputError(f"The log {file} cannot be written: {error.strerror}; choose another --log.", "log") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("midlineshift.listen")
    for old in list(ours.handlers):
        ours.removeHandler(old)
        old.close()
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False

"""The listener's log: times and job numbers; no names, no identifiers, no messages of libraries."""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.text import clean_text

LOGGER = "midlineshift.listen"
FILE_BYTES, FILES = 5_000_000, 5
REPEAT_SECONDS, MAX_KEYS = 60.0, 1000
"""A warning about the same peer is logged once in this time; records of more peers than this are dropped."""


class CleanFormatter(logging.Formatter):
    """Write one line for each record: control characters of values from outside cannot forge another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the cleaned line."""
        return clean_text(super().format(record))


class RepeatedWarnings:
    """Log warnings that anybody on the network can cause, at a bounded rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._logged: dict[str, tuple[float, int]] = {}

    def warn(self, sentence: str, key: str) -> None:
        """Log the sentence, unless one with the same key was logged just before; then it is counted."""
        with self._lock:
            now = self._clock()
            last, skipped = self._logged.get(key, (float("-inf"), 0))
            if now - last < REPEAT_SECONDS:
                self._logged[key] = (last, skipped + 1)
                return
            if len(self._logged) >= MAX_KEYS:
                self._logged.clear()
            self._logged[key] = (now, 0)
        more = f" ({skipped} more like it before)" if skipped else ""
        logging.getLogger(LOGGER).warning("%s%s", sentence, more)


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
    handler.setFormatter(CleanFormatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger(LOGGER)
    for old in list(ours.handlers):
        ours.removeHandler(old)
        old.close()
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False

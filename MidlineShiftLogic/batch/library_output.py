"""Keep what libraries print away from the lines that a program reads."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def suppress_output(debug: bool) -> Iterator[None]:
    """Send what is printed to standard error and, unless ``debug``, drop logging and warnings.

    Warnings of libraries about unusual files are not for the user: what matters of them is in the flags of the result.
    """
    previous = logging.root.manager.disable
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        if not debug:
            logging.disable(logging.CRITICAL)
            warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(previous)

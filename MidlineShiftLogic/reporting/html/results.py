"""Read a result from disk: the folder of a case, or its ``measurement.json``."""

from __future__ import annotations

import os
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.measurement_json import from_json

LARGEST_BYTES = 64 * 2**20


def read_result(path: Path) -> Measurement:
    """Return the measurement of a case's folder or of a ``measurement.json``.

    Raises:
        InputError: there is none, it cannot be read, or it is damaged; the sentence names the file.
    """
    file = Path(path)
    if os.path.isdir(file):
        file = file / "measurement.json"
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{file} is too large for a result of midlineshift; give a case's folder.", "json")
        return from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"There is no result at {file}; give the folder that midlineshift measure wrote for the case.",
            "no-such-path",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not a result of midlineshift; give a case's folder.", "json") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check the permissions.", "unreadable") from error
    except InputError as error:
        raise error if str(file) in str(error) else InputError(f"{file}: {error}", error.code) from error

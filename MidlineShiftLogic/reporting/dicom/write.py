"""Write the DICOM files of a case: ``sr.dcm`` and ``capture/NNN.dcm`` in its folder."""

from __future__ import annotations

import os
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.dicom.build_report import structured_report
from MidlineShiftLogic.reporting.dicom.capture import captures
from MidlineShiftLogic.reporting.dicom.source import Source, source_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from MidlineShiftLogic.inference.dense_arrays import DenseArrays

REPORT_FILE, CAPTURE_FOLDER = "sr.dcm", "capture"


def require_highdicom() -> None:
    """Raise InputError where highdicom is not installed: only DICOM output needs it."""
    if find_spec("highdicom") is None:
        raise InputError(
            "DICOM output needs the Python package 'highdicom'; install it with: python -m pip install 'midlineshift[dicom]'",
            "no-highdicom",
        )


def write_objects(
    folder: Path, measurement: Measurement, ct: HeadCT, dense: DenseArrays | None, source: Source | None = None
) -> list[Path]:
    """Write the report, and the captures of a measured case with dense results, into an existing folder.

    The caller sees to it that the folder appears whole (``reporting.case_folder``).

    Args:
        dense: what the summary picture needs; without it there are no captures.
        source: the scan's series; found from ``ct`` if None.

    Returns:
        The files written, the report first.

    Raises:
        InputError: the scan is not from DICOM, names no study, or highdicom is missing. OSError: cannot be written.
    """
    require_highdicom()
    source = source or source_of(ct)
    files = [_save(structured_report(measurement, ct, source), folder / REPORT_FILE)]
    if dense is not None:
        for number, image in enumerate(captures(measurement, ct, source, dense), start=1):
            place = folder / CAPTURE_FOLDER
            place.mkdir(exist_ok=True, mode=0o700)
            files.append(_save(image, place / f"{number:03d}.dcm"))
    return files


def _save(dataset: Dataset, path: Path) -> Path:
    # Through memory: pydicom turns the error of a full disk into a traceback in words.
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    # They hold the patient's name: for their owner only.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600), "wb") as stream:
        stream.write(buffer.getbuffer())
    return path

"""Write everything that follows from a signed reading: table, figures, report and, of DICOM scans, DICOM objects."""

from __future__ import annotations

import shutil
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.case_folder import case_folder
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.review_app.cases import RESULT_FILE, ReviewCase
from MidlineShiftLogic.review_app.readings import ReaderFolder


def export_reading(folder: ReaderFolder, case: ReviewCase, measurement: Measurement, ct: HeadCT) -> str:
    """Write the files of a reading into the reader's folder of the case, as the panel's export does; all or none.

    Args:
        folder: The reader's folder.
        case: The case.
        measurement: The reading; must be what the folder holds.
        ct: The measured scan, read in this process.

    Returns:
        Why there are no DICOM objects; empty where there are.

    Raises:
        InputError: The folder holds other files, or was changed meanwhile.
        OSError: The disk is full or gone.
    """
    with case_folder(folder.folder, case.name) as files:
        reason = _write_files(files, case, measurement, ct)
        current = folder.load(case)
        if current is None or to_json(current) != to_json(measurement):
            raise InputError("The reading was changed while its report was made.", "changed")
    return reason


def _write_files(files: Path, case: ReviewCase, measurement: Measurement, ct: HeadCT) -> str:
    from MidlineShiftLogic.reporting.dicom import write_objects
    from MidlineShiftLogic.reporting.fields_file import read_fields
    from MidlineShiftLogic.reporting.figures.overlay import write_overlay
    from MidlineShiftLogic.reporting.figures.sheet import write_sheet
    from MidlineShiftLogic.reporting.html import write_report
    from MidlineShiftLogic.reporting.shifts_csv import write_shifts

    (files / RESULT_FILE).write_text(to_json(measurement), encoding="utf-8")
    if measurement.slice is None:
        return "nothing was measured"
    fields = case.folder / "fields.npz"
    dense = read_fields(fields) if fields.is_file() else None
    write_shifts(files / "shifts.csv", measurement)
    if dense is not None:
        write_overlay(files / "overlay.png", ct, measurement, dense)
    write_sheet(files / "slices.png", ct, measurement)
    write_report(files, measurement)
    if not ct.frames:
        return "the scan is not from DICOM"
    try:
        write_objects(files, measurement, ct, dense)
    except (InputError, ValueError, TypeError, AttributeError, KeyError) as error:
        # highdicom is strict with what some scanners write; the rest of the export is whole without these
        (files / "sr.dcm").unlink(missing_ok=True)
        shutil.rmtree(files / "capture", ignore_errors=True)
        return str(error).rstrip(".")
    return ""

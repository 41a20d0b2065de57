"""Write everything that follows from a signed reading: table, figures, report and, of DICOM scans, DICOM objects."""

from __future__ import annotations

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.case_folder import case_folder
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.review_app.cases import ReviewCase
from MidlineShiftLogic.review_app.readings import ReaderFolder


def export_reading(folder: ReaderFolder, case: ReviewCase, measurement: Measurement, ct: HeadCT) -> str:
    """Write the files of a reading into the reader's folder of the case, as the panel's export does; all or none.

    Args:
        folder: The reader's folder.
        case: The case.
        measurement: The reading; must be what the folder holds.
        ct: The measured scan, read in this process.

    Returns:
        Why there are no DICOM objects; empty where there are, or where the scan is not from DICOM.

    Raises:
        InputError: The folder holds other files, or the reading was changed meanwhile.
        OSError: The disk is full or gone.
    """
    from MidlineShiftLogic.reporting.fields_file import read_fields
    from MidlineShiftLogic.reporting.write_reviewed import write_reviewed_case

    if measurement.slice is None:
        return ""  # a rejected case without a number: measurement.json says all
    fields = case.folder / "fields.npz"
    dense = read_fields(fields) if fields.is_file() else None
    images = sorted({frame.file for frame in ct.frames})
    with case_folder(folder.folder, case.name) as files:
        objection = write_reviewed_case(files, measurement, ct, dense, images)
        current = folder.load(case)
        if current is None or to_json(current) != to_json(measurement):
            raise InputError("The reading was changed while its report was made.", "changed")
    return objection

"""Read the patient of a scan for the report of a result, once it is certain that this scan was measured."""

from __future__ import annotations

from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.patient import Patient
from MidlineShiftLogic.measurement.results import Measurement


def read_verified_patient(scan: Path, measurement: Measurement) -> Patient:
    """Return the patient of ``scan``; a wrong name on a report is worse than none.

    Args:
        scan: DICOM folder or file.
        measurement: The result, which holds a digest of the voxels that were measured.

    Raises:
        InputError: The scan cannot be read, is not the one that was measured, or the result does not say.
    """
    from MidlineShiftLogic.headct import read
    from MidlineShiftLogic.headct.patient import read_patient

    patient = read_patient(scan)
    digest = measurement.input.get("sha256")
    if not digest:
        raise InputError(
            "The result does not say which data it was measured on, so no name can be put on it.", "identify"
        )
    if read(scan).source.get("sha256") != digest:
        raise InputError(
            f"{scan} is not the scan that {measurement.case_id!r} was measured on; give that one, or leave --identify out.",
            "identify",
        )
    return patient

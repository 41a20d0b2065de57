"""Which scans are of one patient, without telling who."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_SECRET = "\0"
"""Marks a patient ID read from DICOM until it is replaced by a number."""


def dicom_patient(path: Path) -> str | None:
    """Return the PatientID of a DICOM folder or file, marked as secret; None where there is none."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            found = pydicom.dcmread(file, specific_tags=["PatientID"], stop_before_pixels=True).get("PatientID")
        except (InvalidDicomError, OSError, ValueError):
            continue
        return f"{_SECRET}{found}" if found else None
    return None


def named(patients: Iterable[str]) -> dict[str, str]:
    """Return, by patient, what the manifest calls them: names that were given stay, IDs from DICOM become numbers."""
    patients = list(dict.fromkeys(patients))
    secret = [one for one in patients if one.startswith(_SECRET)]
    return {one: one for one in patients} | {one: f"dicom-{k + 1:05d}" for k, one in enumerate(secret)}

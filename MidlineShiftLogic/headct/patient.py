"""Read the patient's name from DICOM, only where a person asked for it on a report; nothing else stores it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.dicom_folder import find_series, looks_like_dicom
from MidlineShiftLogic.headct.frames import read_header
from MidlineShiftLogic.text import clean_text


@dataclass(frozen=True)
class Patient:
    """Attributes: ``name`` in the order of speech (``Jane Doe``), ``id``, ``birth_date`` ISO 8601; ``""`` where not given."""

    name: str
    id: str
    birth_date: str


def read_patient(path: Path) -> Patient:
    """Read the patient of a DICOM file, or of the series of a folder that ``read`` chooses.

    Raises:
        InputError: not DICOM (no other format names a patient), or none at all.
    """
    path = Path(path)
    header = read_header(find_series(path)[0].frames[0].file if path.is_dir() else _dicom_file(path))
    if header is None:
        raise InputError(f"{path} is not a DICOM image, so it names no patient; leave --identify out.", "identify")
    name = _text(header, "PatientName").split("=")[0]
    family, given, middle, prefix, suffix = (part.strip() for part in [*name.split("^"), *[""] * 4][:5])
    return Patient(
        name=" ".join(part for part in (prefix, given, middle, family, suffix) if part),
        id=_text(header, "PatientID"),
        birth_date=_date(_text(header, "PatientBirthDate")),
    )


def _text(header, keyword: str) -> str:
    try:
        return clean_text(header.get(keyword) or "")
    except Exception:  # pydicom raises whatever the nonsense in an element leads to
        return ""


def _dicom_file(path: Path) -> Path:
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the path.", "unreadable") from error
    if not looks_like_dicom(head):
        raise InputError(f"{path} is not a DICOM file, so it names no patient; leave --identify out.", "identify")
    return path


def _date(text: str) -> str:
    digits = text.replace(".", "").strip()
    try:
        return datetime.strptime(digits, "%Y%m%d").date().isoformat() if len(digits) == 8 else ""
    except ValueError:
        return ""

"""Define what all DICOM objects of a case share: numbers, equipment, identity, character set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.dicom import codes
from MidlineShiftLogic.software import NAME, package_version

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from MidlineShiftLogic.reporting.dicom.source import Source

MANUFACTURER = "SlicerMidlineShift"
REPORT_NUMBER, CAPTURE_NUMBER = 9101, 9102
"""Series numbers far above a scanner's, so that the series sort behind the scan's."""
NO_MODEL = "none opened"


def model_of(measurement: Measurement) -> tuple[str, str]:
    """Return name and version of the model; a phrase where a case was refused before one was loaded."""
    model = measurement.model
    return str(model.get("name") or NO_MODEL), str(model.get("version") or NO_MODEL)


def equipment() -> dict:
    """Return who made the object, as the constructors of highdicom take it."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": NAME,
        "software_versions": package_version(),
        "device_serial_number": NO_SERIAL,
        "coding_schemes": [
            CodingSchemeIdentificationItem(codes.SCHEME, name=codes.SCHEME_NAME, responsible_organization=MANUFACTURER)
        ],
    }


NO_SERIAL = "software"


def frame_numbers(frame: Frame) -> list[int] | None:
    """Return the Referenced Frame Number of a frame of a multi-frame file, from 1; None for other files."""
    return None if frame.index is None else [frame.index + 1]


def take_identity(dataset: Dataset, source: Source) -> None:
    """Copy the attributes of patient and study into ``dataset``, as the scan has them."""
    from pydicom.dataelem import DataElement

    for element in source.identity:
        # A person's name keeps the bytes it was first written as, so each object gets its own.
        value = str(element.value or "") if element.VR == "PN" else element.value
        dataset[element.tag] = DataElement(element.tag, element.VR, value)


def person_name(typed: str) -> str:
    """Return a typed name as a DICOM person name: without what has a meaning there or is not allowed."""
    return re.sub(r"[\\=\x00-\x1f]+", " ", typed).strip()[:64]


def set_character_set(dataset: Dataset, declared: tuple[str, ...]) -> None:
    """Declare the character set of the scan if all text of ``dataset`` can be written in it, else UTF-8.

    Args:
        declared: Specific Character Set of the scan. Where it declares none but its text is not ASCII, the text was
            read as Latin-1, which is declared then: the bytes stay what they were.
    """
    texts = [str(element.value) for element in dataset.iterall() if _is_text(element)]
    texts = [text for text in texts if not text.isascii()]
    if not texts:
        choice = declared
    elif _all_encodable(texts, declared or ("ISO_IR 100",)):
        choice = declared or ("ISO_IR 100",)
    else:
        choice = ("ISO_IR 192",)
    if choice:
        dataset.SpecificCharacterSet = list(choice) if len(choice) > 1 else choice[0]
    elif "SpecificCharacterSet" in dataset:
        del dataset.SpecificCharacterSet


def _is_text(element) -> bool:
    return element.VR in ("LO", "LT", "PN", "SH", "ST", "UC", "UT")


def _all_encodable(texts: list[str], character_set: tuple[str, ...]) -> bool:
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes, encode_string

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            encodings = convert_encodings(list(character_set))
            return all(decode_bytes(encode_string(text, encodings), encodings, set()) == text for text in texts)
        except Exception:  # unknown character sets and letters: pydicom warns or raises, by where it stumbles
            return False

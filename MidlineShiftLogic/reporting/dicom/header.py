"""Take patient and study over from the headers of the scan, unchanged."""

from __future__ import annotations

import copy
import struct

from MidlineShiftLogic.errors import InputError

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientBirthTime",
    "OtherPatientIDs", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
)  # fmt: skip
STUDY = (
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "ProcedureCodeSequence", "PatientAge", "PatientSize", "PatientWeight",
)  # fmt: skip
COMPRESSION = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
MUST_EXIST = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Type 2 in every object: empty where the scan does not say."""

CHECKED = {"AS", "CS", "DA", "DS", "IS", "TM"}
"""Kinds of value that are left empty where the scan's is not valid: an invalid date would make the object invalid, and
helps nobody. Names and identifiers are kept however they are written: they say whose scan it is."""


def patient_and_study(header, series_uid: str):
    """Return a data set with the patient's and the study's attributes and nothing else.

    Args:
        header: pydicom data set of an image of the scan.
        series_uid: of the scan; named in the error.

    Raises:
        InputError: the scan names no study, so that nothing can be filed beside it.
    """
    from pydicom.dataset import Dataset

    study = str(header.get("StudyInstanceUID") or "").strip()
    if not study or not series_uid:
        raise InputError(
            "The scan's headers name no study or series (Study or Series Instance UID), so no DICOM objects can be filed "
            "beside it; measure it without --dicom.",
            "dicom-identity",
        )
    result = Dataset()
    result.StudyInstanceUID = study
    for keyword in (*PATIENT, *STUDY):
        element = _usable(header, keyword)
        if element is not None:
            result.add(element)
        elif keyword in MUST_EXIST:
            setattr(result, keyword, None)
    if result.get("PatientSex") not in (None, "", "M", "F", "O"):
        result.PatientSex = None
    if result.get("PatientIdentityRemoved") == "YES" and not {
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
    } & set(result.dir("Deidentification")):
        result.DeidentificationMethod = (
            "Not stated in the headers of the scan"  # the standard wants one, some tools give none
        )
    return result


def compression(header):
    """Return the elements of lossy compression, which the figures of a compressed scan must carry too; else none."""
    from pydicom.dataset import Dataset

    result = Dataset()
    if str(header.get("LossyImageCompression") or "") == "01":
        for keyword in COMPRESSION:
            element = _usable(header, keyword)
            if element is not None:
                result.add(element)
    return result


def _usable(header, keyword: str):
    """Return a new element with the VR of the standard, or None if it is missing, empty or cannot be written."""
    from pydicom.config import RAISE
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.valuerep import validate_value

    vr = dictionary_VR(keyword)
    try:
        value = header.get(keyword)
        if value is None or value == "" or (vr == "SQ" and not len(value)):
            return None
        value = _plain(value, vr)
        if vr in CHECKED:
            for one in value if isinstance(value, list) else [value]:
                validate_value(vr, one, RAISE)
        element = DataElement(tag_for_keyword(keyword), vr, value)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, NotImplementedError, struct.error):
        return None  # what pydicom says of a value that cannot be read, or is none of its kind
    return element if _writable(element) else None


def _plain(value, vr: str):
    """Return the value as text or a list of texts: as read, it remembers its own character set and VR."""
    if vr == "SQ":
        return copy.deepcopy(value)
    if vr == "PN" or isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value)
    return [str(one) for one in value]


def _writable(element) -> bool:
    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    trial = Dataset()
    trial.SpecificCharacterSet = "ISO_IR 192"
    trial.add(copy.deepcopy(element))  # a name would keep the bytes of this trial
    try:
        write_dataset(buffer, trial)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, NotImplementedError, struct.error):
        return False
    return True

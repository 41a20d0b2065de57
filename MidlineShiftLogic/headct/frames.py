"""One DICOM image as its header describes it, for single-frame and enhanced multi-frame files alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.dicom_file import read_dataset
from MidlineShiftLogic.headct.stored_values import MAX_AXIS, DamagedFile
from MidlineShiftLogic.text import clean_text

NO_CONTRAST = {"", "NONE", "NO", "NO CONTRAST", "WITHOUT"}

MAX_TEXT = 128
"""Characters of a text that are kept; DICOM allows 16 to 64."""

MAX_NUMBER = 1e6
"""Positions in mm and other numbers of a header beyond this are errors; patients are within a few metres."""


@dataclass(frozen=True)
class Frame:
    """One image of a DICOM file.

    Attributes:
        file: its path.
        index: frame number in a multi-frame file, from 0; None for a single-frame file.
        position: (3,) LPS mm of the first pixel's centre, or None.
        orientation: (6,) direction of increasing column, then of increasing row, or None.
        pixel_spacing: (row spacing, column spacing) mm, or None.
        thickness: mm, NaN where not given.
        order: (acquisition number, instance number, frame) to sort images of one position.
        slope, intercept: rescale to Hounsfield units; None where not given.
        contrast: whether a contrast agent is named.
        grey: whether it is a one-channel image with real values.
        sop_class_uid: class of the DICOM object.
        acquired: acquisition time, ISO 8601 without a zone (the date alone where no time is given); ``""`` if unknown.
        patient_id, patient_name, study_uid: to distinguish patients and studies; they stay in the process and go into no
            result. The name has no punctuation and no capitals.
        inverted: whether the image is to be displayed inverted (MONOCHROME1).
    """

    file: Path
    index: int | None
    series_uid: str
    series_number: int | None
    sop_instance_uid: str
    modality: str
    description: str
    kernel: str
    image_type: tuple[str, ...]
    shape: tuple[int, int]
    position: np.ndarray | None
    orientation: np.ndarray | None
    pixel_spacing: tuple[float, float] | None
    thickness: float
    order: tuple[int, int, int]
    slope: float | None
    intercept: float | None
    contrast: bool
    grey: bool
    has_pixels: bool
    sop_class_uid: str = ""
    acquired: str = ""
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    study_uid: str = ""
    inverted: bool = False

    @property
    def normal(self) -> np.ndarray | None:
        """Return (3,) LPS unit vector normal to the image plane, on the side that points up, to the left or back."""
        if self.orientation is None:
            return None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        length = np.linalg.norm(normal)
        if length < 0.5:
            return None
        return normal / length * np.sign(normal[np.abs(normal).argmax()])

    @property
    def stack_key(self) -> tuple:
        """Return a key that is equal for images that may form one stack; localizers stored in the same series get another key."""
        orientation = None if self.orientation is None else tuple(np.round(self.orientation, 2) + 0.0)
        spacing = None if self.pixel_spacing is None else tuple(np.round(self.pixel_spacing, 3))
        return self.series_uid, self.shape, orientation, spacing, self.grey


def read_header(file: Path):
    """Read a file's data set without its pixels; None if it is damaged or not a DICOM image."""
    try:
        header = read_dataset(file)
        header.get("SeriesInstanceUID")
    except (DamagedFile, InputError):
        return None
    except Exception:  # pydicom converts values when they are used, and raises whatever their nonsense leads to
        return None
    return header if "SOPClassUID" in header or "Rows" in header else None


def frames_of(header, file: Path) -> list[Frame]:
    """Return the images of one data set; empty for reports, a DICOMDIR and absurd numbers of frames.

    Args:
        header: pydicom data set without pixel data.
        file: its path.
    """
    if _integer(_get(header, "Rows")) is None or _integer(_get(header, "Columns")) is None:
        return []
    per_frame = _get(header, "PerFrameFunctionalGroupsSequence")
    if per_frame and not hasattr(per_frame, "__len__"):
        return []
    if per_frame:
        if len(per_frame) > MAX_AXIS:
            return []
        shared = _first_item(_get(header, "SharedFunctionalGroupsSequence"))
        return [_enhanced(header, file, index, groups, shared) for index, groups in enumerate(per_frame)]
    return [_frame(header, file, None, header, header, header, header, 0)]


def _enhanced(header, file: Path, index: int, groups, shared) -> Frame:
    """Return one frame of an enhanced file: its own functional groups first, then those all frames share."""

    def item(name: str):
        for holder in (groups, shared):
            found = None if holder is None else _first_item(_get(holder, name))
            if found is not None:
                return found
        return header

    return _frame(
        header,
        file,
        index,
        item("PlanePositionSequence"),
        item("PlaneOrientationSequence"),
        item("PixelMeasuresSequence"),
        item("PixelValueTransformationSequence"),
        index,
        kernel=item("CTReconstructionSequence"),
        frame_type=item("CTImageFrameTypeSequence"),
    )


def _frame(
    header, file, index, position, orientation, measures, rescale, number, kernel=None, frame_type=None
) -> Frame:
    spacing = _numbers(_get(measures, "PixelSpacing"), 2)
    thickness = _numbers([_get(measures, "SliceThickness")], 1)
    slope, intercept = (_numbers([_get(rescale, name)], 1) for name in ("RescaleSlope", "RescaleIntercept"))
    image_type = (_get(frame_type, "FrameType") if frame_type is not None else None) or _get(header, "ImageType") or ()
    shape = _integer(_get(header, "Rows")), _integer(_get(header, "Columns"))
    sop_class = str(_get(header, "SOPClassUID") or "")
    samples = _integer(_get(header, "SamplesPerPixel"))
    return Frame(
        file=file,
        index=index,
        series_uid=str(_get(header, "SeriesInstanceUID") or ""),
        series_number=_integer(_get(header, "SeriesNumber")),
        sop_instance_uid=str(_get(header, "SOPInstanceUID") or ""),
        modality=clean_text(_get(header, "Modality") or "", MAX_TEXT),
        description=clean_text(_get(header, "SeriesDescription") or "", MAX_TEXT),
        kernel=_first_word(_get(header if kernel is None else kernel, "ConvolutionKernel")),
        image_type=tuple(
            clean_text(word, MAX_TEXT) for word in (image_type if _is_list(image_type) else (image_type,))
        ),
        shape=shape,
        position=_numbers(_get(position, "ImagePositionPatient"), 3),
        orientation=_numbers(_get(orientation, "ImageOrientationPatient"), 6),
        pixel_spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        thickness=float("nan") if thickness is None or thickness[0] <= 0 else float(thickness[0]),
        order=(_integer(_get(header, "AcquisitionNumber")) or 0, _integer(_get(header, "InstanceNumber")) or 0, number),
        slope=None if slope is None else float(slope[0]),
        intercept=None if intercept is None else float(intercept[0]),
        contrast=_has_contrast(header),
        # 1.2.840.10008.5.1.4.1.1.7: Secondary Capture and its multi-frame kinds, pictures of a screen.
        grey=(samples is None or samples == 1)
        and str(_get(header, "PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME")
        and not (sop_class + ".").startswith("1.2.840.10008.5.1.4.1.1.7."),
        has_pixels=0 < min(shape) <= max(shape) <= MAX_AXIS,
        sop_class_uid=sop_class,
        acquired=_acquired(header),
        patient_id=str(_get(header, "PatientID") or "").strip(),
        patient_name=re.sub(r"[\W_]+", " ", str(_get(header, "PatientName") or "").split("=")[0]).strip().casefold(),
        study_uid=str(_get(header, "StudyInstanceUID") or "").strip(),
        inverted=str(_get(header, "PhotometricInterpretation") or "").strip() == "MONOCHROME1",
    )


def _get(dataset, keyword: str):
    """Return the value, or None where it is missing or invalid: one invalid element must not hide the others."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom raises whatever the nonsense in an element leads to
        return None


def _first_item(sequence):
    """Return the first data set of a sequence, or None for anything else."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    items = sequence if isinstance(sequence, Sequence) and len(sequence) else [None]
    return items[0] if isinstance(items[0], Dataset) else None


def _has_contrast(header) -> bool:
    """Return whether a contrast agent is named; enhanced files list theirs. Some scanners write the word none."""
    named = str(_get(header, "ContrastBolusAgent") or "").strip().upper()
    return named not in NO_CONTRAST or bool(_get(header, "ContrastBolusAgentSequence"))


def _is_list(value) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _acquired(header) -> str:
    """Return the acquisition time, from the first valid date of the header."""
    stamp = str(_get(header, "AcquisitionDateTime") or "")
    pairs = [(stamp[:8], stamp[8:])]
    pairs += [
        (str(_get(header, f"{kind}Date") or ""), str(_get(header, f"{kind}Time") or ""))
        for kind in ("Acquisition", "Content", "Series", "Study")
    ]
    for date, time in pairs:
        day, clock = date.replace(".", "").strip(), time.replace(":", "").strip()[:6]
        for text, layout in ((f"{day} {clock}", "%Y%m%d %H%M%S"), (day, "%Y%m%d")):
            # strptime takes single digits too: "2026112" would be some day.
            if text.replace(" ", "").isdigit() and len(text) in (8, 15):
                try:
                    moment = datetime.strptime(text, layout)
                except ValueError:
                    continue
                return moment.isoformat() if " " in text else moment.date().isoformat()
    return ""


def _numbers(values, count: int) -> np.ndarray | None:
    """Return (count,) finite floats of a plausible size, or None."""
    if values is None:
        return None
    try:
        array = np.array([float(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        return None
    usable = array.shape == (count,) and np.isfinite(array).all() and (np.abs(array) < MAX_NUMBER).all()
    return array if usable else None


def _integer(value) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _first_word(value) -> str:
    """Return a kernel's name; Siemens stores (name, strength)."""
    if value is None:
        return ""
    return clean_text(next(iter(value), "") if _is_list(value) else value, MAX_TEXT)

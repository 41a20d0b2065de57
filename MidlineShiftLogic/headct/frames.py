"""One DICOM picture: what its header says, for single-frame and enhanced multi-frame files alike."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

NO_CONTRAST = {"", "NONE", "NO", "NO CONTRAST", "WITHOUT"}


@dataclass(frozen=True)
class Frame:
    """One picture of a DICOM file.

    Attributes:
        file: where it is.
        index: frame number in a multi-frame file, from 0; None for a single-frame file.
        position: (3,) LPS mm of the first pixel's centre, or None.
        orientation: (6,) direction of increasing column, then of increasing row, or None.
        pixel_spacing: (row spacing, column spacing) mm, or None.
        thickness: mm, NaN where not told.
        order: (acquisition number, instance number, frame) to sort pictures of one place.
        slope, intercept: rescale to Hounsfield units; None where not told.
        contrast: whether a contrast agent is named.
        grey: whether it is a one-channel picture with real values.
        sop_class_uid: what kind of DICOM object the file is.
        acquired: when it was taken, ISO 8601 without a zone (the date alone where no time is told); ``""`` if unknown.
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

    @property
    def normal(self) -> np.ndarray | None:
        """(3,) LPS unit vector of the picture's plane, on the side that points up, to the left or back."""
        if self.orientation is None:
            return None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        length = np.linalg.norm(normal)
        if length < 0.5:
            return None
        return normal / length * np.sign(normal[np.abs(normal).argmax()])

    @property
    def stack_key(self) -> tuple:
        """Equal for pictures that may lie in one stack; localizers kept in the same series fall apart here."""
        orientation = None if self.orientation is None else tuple(np.round(self.orientation, 2) + 0.0)
        spacing = None if self.pixel_spacing is None else tuple(np.round(self.pixel_spacing, 3))
        return self.series_uid, self.shape, orientation, spacing, self.grey


def read_header(file: Path):
    """The file's data set without its pixels; None if it is not a DICOM image after all."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        header.get("SeriesInstanceUID")
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, NotImplementedError, AttributeError):
        return None
    return header if "SOPClassUID" in header or "Rows" in header else None


def frames_of(header, file: Path) -> list[Frame]:
    """The pictures of one data set; one entry without pixels for a report or a DICOMDIR is left out.

    Args:
        header: pydicom data set without pixel data.
        file: where it was read.
    """
    if _integer(_get(header, "Rows")) is None or _integer(_get(header, "Columns")) is None:
        return []
    per_frame = _get(header, "PerFrameFunctionalGroupsSequence")
    if per_frame:
        shared = (_get(header, "SharedFunctionalGroupsSequence") or [None])[0]
        return [_enhanced(header, file, index, groups, shared) for index, groups in enumerate(per_frame)]
    return [_frame(header, file, None, header, header, header, header, 0)]


def _enhanced(header, file: Path, index: int, groups, shared) -> Frame:
    """One frame of an enhanced file: its own functional groups first, then those all frames share."""

    def item(name: str):
        for holder in (groups, shared):
            found = None if holder is None else _get(holder, name)
            if found:
                return found[0]
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
        modality=str(_get(header, "Modality") or ""),
        description=str(_get(header, "SeriesDescription") or ""),
        kernel=_first_word(_get(header if kernel is None else kernel, "ConvolutionKernel")),
        image_type=tuple(str(word) for word in image_type) if _is_list(image_type) else (str(image_type),),
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
        has_pixels=min(shape) > 0,
        sop_class_uid=sop_class,
        acquired=_acquired(header),
    )


def _get(dataset, keyword: str):
    """The value, or None where it is missing or cannot be read as what it should be: nonsense in one element must not hide
    what the others say."""
    try:
        return dataset.get(keyword)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OverflowError, struct.error):
        return None


def _has_contrast(header) -> bool:
    """Whether an agent is named; enhanced files list theirs. Some scanners write that there is none."""
    named = str(_get(header, "ContrastBolusAgent") or "").strip().upper()
    return named not in NO_CONTRAST or bool(_get(header, "ContrastBolusAgentSequence"))


def _is_list(value) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _acquired(header) -> str:
    """When the picture was taken, from the first of the header's dates that is one."""
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
    """(count,) finite floats, or None where the header does not hold them."""
    if values is None:
        return None
    try:
        array = np.array([float(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.shape == (count,) and np.isfinite(array).all() else None


def _integer(value) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _first_word(value) -> str:
    """A kernel's name; Siemens stores (name, strength)."""
    if value is None:
        return ""
    return str(next(iter(value), "") if _is_list(value) else value).strip()

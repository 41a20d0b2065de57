"""One DICOM image as its header describes it, for single-frame and enhanced multi-frame files alike."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.dicom_file import read_dataset
from MidlineShiftLogic.headct.header_values import (
    acquired,
    clean_text_of,
    first_item_of,
    first_word_of,
    integer_of,
    number_of,
    numbers_of,
    text_of,
    value_of,
    words_of,
)
from MidlineShiftLogic.headct.stored_values import MAX_AXIS, DamagedFile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NO_CONTRAST = {"", "NONE", "NO", "NO CONTRAST", "WITHOUT"}

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of pictures of a screen; those of its multi-frame kinds begin with it."""


@dataclass(frozen=True)
class Placement:
    """Where an image is in the patient.

    Attributes:
        position: (3,) LPS mm of the first pixel's centre.
        across, down: (3,) LPS unit vectors of increasing column and of increasing row.
        normal: (3,) LPS unit vector normal to the plane, on the side that points up, to the left or back.
        pixel_spacing: (row spacing, column spacing) mm.
    """

    position: np.ndarray
    across: np.ndarray
    down: np.ndarray
    normal: np.ndarray
    pixel_spacing: tuple[float, float]


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
    def placement(self) -> Placement | None:
        """Return where the image is in the patient; None where the header does not say all of it."""
        normal = self.normal
        if normal is None or self.orientation is None or self.position is None or self.pixel_spacing is None:
            return None
        across, down = (one / np.linalg.norm(one) for one in (self.orientation[:3], self.orientation[3:]))
        return Placement(self.position, across, down, normal, self.pixel_spacing)

    def placed(self) -> Placement:
        """Return where an image of a series with places (``SeriesInfo.placed``) is. ValueError for any other image."""
        placement = self.placement
        if placement is None:
            raise ValueError(f"{self.file} does not say where it is in the patient")
        return placement

    @property
    def stack_key(self) -> tuple:
        """Return a key that is equal for images that may form one stack; localizers stored in the same series get another key."""
        orientation = None if self.orientation is None else tuple(np.round(self.orientation, 2) + 0.0)
        spacing = None if self.pixel_spacing is None else tuple(np.round(self.pixel_spacing, 3))
        return self.series_uid, self.shape, orientation, spacing, self.grey


def read_header(file: Path) -> Dataset | None:
    """Read a file's data set without its pixels; None if it is damaged or not a DICOM image."""
    try:
        header = read_dataset(file)
        header.get("SeriesInstanceUID")
    except (DamagedFile, InputError):
        return None
    except Exception:  # pydicom converts values when they are used, and raises whatever their nonsense leads to
        return None
    return header if "SOPClassUID" in header or "Rows" in header else None


def frames_of(header: Dataset, file: Path) -> list[Frame]:
    """Return the images of one data set; empty for reports, a DICOMDIR and absurd numbers of frames.

    Args:
        header: pydicom data set without pixel data.
        file: its path.
    """
    if integer_of(header, "Rows") is None or integer_of(header, "Columns") is None:
        return []
    per_frame = value_of(header, "PerFrameFunctionalGroupsSequence")
    if per_frame and not hasattr(per_frame, "__len__"):
        return []
    if per_frame:
        if len(per_frame) > MAX_AXIS:
            return []
        shared = first_item_of(header, "SharedFunctionalGroupsSequence")
        return [_enhanced(header, file, index, groups, shared) for index, groups in enumerate(per_frame)]
    return [_frame(header, file, None, _Parts(header, header, header, header, header))]


@dataclass(frozen=True)
class _Parts:
    """The data sets that hold an image's elements: all the header, or functional groups of an enhanced file."""

    position: Dataset
    orientation: Dataset
    measures: Dataset
    rescale: Dataset
    kernel: Dataset
    frame_type: Dataset | None = None


def _enhanced(header: Dataset, file: Path, index: int, groups: Dataset, shared: Dataset | None) -> Frame:
    """Return one frame of an enhanced file: its own functional groups first, then those all frames share."""

    def item(name: str) -> Dataset:
        for holder in (groups, shared):
            found = first_item_of(holder, name)
            if found is not None:
                return found
        return header

    parts = _Parts(
        position=item("PlanePositionSequence"),
        orientation=item("PlaneOrientationSequence"),
        measures=item("PixelMeasuresSequence"),
        rescale=item("PixelValueTransformationSequence"),
        kernel=item("CTReconstructionSequence"),
        frame_type=item("CTImageFrameTypeSequence"),
    )
    return _frame(header, file, index, parts)


def _frame(header: Dataset, file: Path, index: int | None, parts: _Parts) -> Frame:
    spacing = numbers_of(parts.measures, "PixelSpacing", 2)
    thickness = number_of(parts.measures, "SliceThickness")
    shape = integer_of(header, "Rows") or 0, integer_of(header, "Columns") or 0
    sop_class = text_of(header, "SOPClassUID")
    samples = integer_of(header, "SamplesPerPixel")
    interpretation = text_of(header, "PhotometricInterpretation")
    return Frame(
        file=file,
        index=index,
        series_uid=text_of(header, "SeriesInstanceUID"),
        series_number=integer_of(header, "SeriesNumber"),
        sop_instance_uid=text_of(header, "SOPInstanceUID"),
        modality=clean_text_of(header, "Modality"),
        description=clean_text_of(header, "SeriesDescription"),
        kernel=first_word_of(parts.kernel, "ConvolutionKernel"),
        image_type=words_of(value_of(parts.frame_type, "FrameType") or value_of(header, "ImageType") or ()),
        shape=shape,
        position=numbers_of(parts.position, "ImagePositionPatient", 3),
        orientation=numbers_of(parts.orientation, "ImageOrientationPatient", 6),
        pixel_spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        thickness=thickness if thickness is not None and thickness > 0 else math.nan,
        order=(integer_of(header, "AcquisitionNumber") or 0, integer_of(header, "InstanceNumber") or 0, index or 0),
        slope=number_of(parts.rescale, "RescaleSlope"),
        intercept=number_of(parts.rescale, "RescaleIntercept"),
        contrast=_has_contrast(header),
        grey=(samples is None or samples == 1)
        and (interpretation or "MONOCHROME2").startswith("MONOCHROME")
        and not f"{sop_class}.".startswith(f"{SECONDARY_CAPTURE}."),
        has_pixels=0 < min(shape) <= max(shape) <= MAX_AXIS,
        sop_class_uid=sop_class,
        acquired=acquired(header),
        patient_id=text_of(header, "PatientID").strip(),
        patient_name=re.sub(r"[\W_]+", " ", text_of(header, "PatientName").split("=")[0]).strip().casefold(),
        study_uid=text_of(header, "StudyInstanceUID").strip(),
        inverted=interpretation.strip() == "MONOCHROME1",
    )


def _has_contrast(header: Dataset) -> bool:
    """Return whether a contrast agent is named; enhanced files list theirs. Some scanners write the word none."""
    named = text_of(header, "ContrastBolusAgent").strip().upper()
    return named not in NO_CONTRAST or bool(value_of(header, "ContrastBolusAgentSequence"))

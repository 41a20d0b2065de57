"""Make the figures of a case a series of DICOM secondary captures, a summary first (docs/reference/dicom-objects.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.slice_names import slice_name
from MidlineShiftLogic.reporting.dicom import series
from MidlineShiftLogic.reporting.dicom.source import Source
from MidlineShiftLogic.reporting.dicom.uids import result_key, uid
from MidlineShiftLogic.reporting.figures import capture_figures

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from MidlineShiftLogic.inference.dense_arrays import DenseArrays


def captures(measurement: Measurement, ct: HeadCT, source: Source, dense: DenseArrays) -> Iterator[Dataset]:
    """Yield the captures of one measured case, one after another: each is some megabytes.

    The first is the summary; it is a page, not a slice, and has no place in the patient. Then every measured slice, lowest
    first, in the scan's frame of reference at the slice's own place, over the slice's whole field of view.

    Args:
        measurement: not a refused one, which has no pictures (an empty iterator).
        dense: as for ``overlay.write_overlay``; only the case's slice of it is drawn.
    """
    if measurement.refused or not measurement.slices:
        return
    key = result_key(measurement)
    case_frames = source.of_slice(ct, measurement.measured_slice().index)
    summary = _capture(capture_figures.draw_summary(ct, measurement, dense), 1, key, case_frames, source)
    summary.ImageComments = "Summary. Research use only; not a medical device."
    series.set_character_set(summary, source.character_set)
    yield summary
    for number, one in enumerate(measurement.slices, start=2):
        frames = source.of_slice(ct, one.index)
        picture = capture_figures.draw_slice(ct, measurement, one, _image_numbers(frames))
        image = _capture(picture.rgb, number, key, frames, source)
        image.ImageComments = (
            f"{slice_name(measurement, one.index).capitalize()}. Research use only; not a medical device."
        )
        _place(image, picture, ct, one.index, source)
        series.set_character_set(image, source.character_set)
        yield image


def _capture(rgb: np.ndarray, number: int, key: str, frames: list[Frame], source: Source) -> Dataset:
    from highdicom.sc import SCImage

    image = SCImage(
        pixel_array=np.ascontiguousarray(rgb),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=source.identity.StudyInstanceUID,
        series_instance_uid=uid("capture series", source.series_uid, key),
        series_number=series.CAPTURE_NUMBER,
        sop_instance_uid=uid("capture", source.series_uid, key, str(number)),
        instance_number=number,
        series_description="Midline shift overlay, research use only",
        content_qualification="RESEARCH",
        **{name: value for name, value in series.equipment().items() if name != "coding_schemes"},
    )
    series.take_identity(image, source)
    image.ConversionType = "WSD"
    image.BurnedInAnnotation = "NO"  # nothing that names the patient is drawn
    image.BodyPartExamined = "HEAD"
    image.LossyImageCompression = "00"
    image.update(source.compression)
    image.DerivationDescription = "Measured midline drawn over the windowed slice"
    image.SourceImageSequence = [_reference(frame) for frame in frames]
    return image


def _image_numbers(frames: list[Frame]) -> str:
    """Return how a viewer of the scan numbers the images a slice was made of."""
    numbers = sorted({frame.order[1] if frame.index is None else frame.index + 1 for frame in frames})
    if len(numbers) == 1:
        return f"image {numbers[0]} of the scan"
    return f"images {numbers[0]} to {numbers[-1]} of the scan"


def _place(image: Dataset, picture: capture_figures.SlicePicture, ct: HeadCT, index: int, source: Source) -> None:
    """Store where the slice is in the patient, as an ordinary slice of the scan does."""
    from pydicom.valuerep import DS

    def decimals(values) -> list[DS]:
        return [DS(float(value), auto_format=True) for value in values]

    image.FrameOfReferenceUID = source.frame_of_reference_uid
    image.PositionReferenceIndicator = None
    image.ImagePositionPatient = decimals(picture.origin)
    image.ImageOrientationPatient = decimals((*ct.column_axis, *ct.row_axis))
    image.PixelSpacing = decimals(picture.pixel_spacing)
    image.SliceThickness = DS(float(ct.thickness[index]), auto_format=True)


def _reference(frame: Frame) -> Dataset:
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = frame.sop_class_uid
    item.ReferencedSOPInstanceUID = frame.sop_instance_uid
    numbers = series.frame_numbers(frame)
    if numbers:
        item.ReferencedFrameNumber = numbers
    item.PurposeOfReferenceCodeSequence = [CodedConcept("121322", "DCM", "Source image for image processing operation")]
    return item

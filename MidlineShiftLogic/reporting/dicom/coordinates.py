"""Write landmarks as DICOM coordinates: on the image (SCOORD) for viewers, in the patient (SCOORD3D) for exactness."""

from __future__ import annotations

import numpy as np

from MidlineShiftLogic.headct.frames import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import SliceMeasurement
from MidlineShiftLogic.reporting.dicom import codes, series
from MidlineShiftLogic.reporting.dicom.source import Source


def of_landmarks(one: SliceMeasurement, ct: HeadCT, source: Source) -> list:
    """Return four landmarks, the distance and the deformed midline of one slice as highdicom content items.

    Points on the image are left out where the scan's images are cut another way or a point is outside the image (the
    falx of a head that is cut off); in the patient all are given.
    """
    from highdicom.sr import CoordinatesForMeasurement3D

    def in_patient(kind: str, points: np.ndarray, purpose) -> CoordinatesForMeasurement3D:
        return CoordinatesForMeasurement3D(kind, np.atleast_2d(points), source.frame_of_reference_uid, purpose=purpose)

    items = [in_patient("POINT", one.landmarks_lps_mm[name], code) for name, code in codes.LANDMARKS.items()]
    if len(one.midline_px) > 1:
        items.append(in_patient("POLYLINE", ct.to_lps(one.index, one.midline_px), codes.MIDLINE))
    image = source.middle_of_slice(ct, one.index)
    if image is not None:
        for name, code in codes.LANDMARKS.items():
            items += _on_image("POINT", one.landmarks_lps_mm[name], code, image)
        ends = np.stack([one.landmarks_lps_mm[name] for name in ("ideal", "shifted")])
        items += _on_image("POLYLINE", ends, codes.DISTANCE_LINE, image)
    return items


def image_points(frame: Frame, points_lps: np.ndarray) -> np.ndarray:
    """Convert (n, 3) LPS mm to (n, 2) (column, row) of the stored image as SCOORD counts them.

    The outer corner of the first pixel is (0, 0), its centre (0.5, 0.5). Points off the plane of the image are projected
    along its normal.
    """
    from highdicom.spatial import ReferenceToImageTransformer

    place = frame.placed()
    to_image = ReferenceToImageTransformer(
        image_position=place.position.tolist(),
        image_orientation=[*place.across.tolist(), *place.down.tolist()],
        pixel_spacing=place.pixel_spacing,
    )
    return to_image(np.atleast_2d(points_lps))[:, :2]


def _on_image(kind: str, points_lps: np.ndarray, purpose, frame: Frame) -> list:
    from highdicom.sr import CoordinatesForMeasurement, SourceImageForRegion

    points = image_points(frame, points_lps)
    rows, columns = frame.shape
    if (points < 0).any() or (points > (columns, rows)).any():
        return []
    image = SourceImageForRegion(frame.sop_class_uid, frame.sop_instance_uid, series.frame_numbers(frame))
    return [CoordinatesForMeasurement(kind, points, image, purpose=purpose)]

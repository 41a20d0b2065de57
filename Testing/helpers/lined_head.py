"""A drawn head whose falx is one bright line, and a measurement that knows where it is: for warps to be checked on."""

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.geometry.frame import plane_to_pixels
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement, SliceMeasurement

SPACING = (5.0, 0.8, 0.7)
SLICES, ROWS, COLUMNS = 26, 270, 270
HALF_LENGTH_MM, HALF_WIDTH_MM, LINE_SD_MM = 85.0, 66.0, 1.2


def place(angle: float):
    """(row, column) mm across the midline (left positive) and along it (posterior positive), from the head's middle."""
    column, row = np.meshgrid(np.arange(COLUMNS) * SPACING[2], np.arange(ROWS) * SPACING[1])
    x, y = column - COLUMNS * SPACING[2] / 2, row - ROWS * SPACING[1] / 2
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def lined_head(angle: float) -> HeadCT:
    """The head, its midline turned by ``angle`` radians; every slice alike."""
    across, along = place(angle)
    radius = np.hypot(across / HALF_WIDTH_MM, along / HALF_LENGTH_MM)
    one = np.where(radius < 1.08, 900.0, -1000.0)
    one = np.where(radius < 1, 30 + 60 * np.exp(-0.5 * (across / LINE_SD_MM) ** 2), one).astype(np.float32)
    origins = np.zeros((SLICES, 3))
    origins[:, 2] = SPACING[0] * np.arange(SLICES)
    return HeadCT(
        hu=np.repeat(one[None], SLICES, 0),
        origins=origins,
        column_axis=np.array([1.0, 0, 0]),
        row_axis=np.array([0, 1.0, 0]),
        pixel_spacing=SPACING[1:],
        thickness=np.full(SLICES, SPACING[0]),
    )


def lined_measurement(ct: HeadCT, angle: float, shift_mm: float = 0.0, window=(0.0, 20.0)) -> Measurement:
    """A reading of ``shift_mm`` on the slices at heights -8 .. 45 mm; height 0 is slice 8."""
    middle = np.array([COLUMNS * SPACING[2], ROWS * SPACING[1]]) / 2
    u = np.array([-np.sin(angle), np.cos(angle)])
    ends = {"anterior_falx": middle - HALF_LENGTH_MM * u, "posterior_falx": middle + HALF_LENGTH_MM * u}
    slices = []
    for k in range(SLICES):
        height = (k - 8) * SPACING[0]
        if -8 <= height <= 45:
            pixels = {name: plane_to_pixels(ct, point) for name, point in ends.items()}
            slices.append(
                SliceMeasurement(
                    index=k,
                    z_mm=float(ct.heights[k]),
                    signed_shift_mm=shift_mm,
                    landmarks_px=pixels,
                    landmarks_lps_mm={},
                    midline_px=np.zeros((0, 2)),
                    midline_shift_mm=np.zeros(0),
                    height_mm=height,
                    confidence=1.0,
                    in_case_window=window[0] <= height <= window[1],
                )
            )
    return Measurement("lined", shift_mm, slices[2].index, tuple(slices))


def line_at(image: np.ndarray, angle: float, fractions: np.ndarray) -> np.ndarray:
    """Where the bright line is across the midline at fractions of its length, mm, positive left."""
    across = np.arange(-25, 25, 0.1)
    along = (np.asarray(fractions)[:, None] - 0.5) * 2 * HALF_LENGTH_MM
    column = COLUMNS * SPACING[2] / 2 + across * np.cos(angle) - along * np.sin(angle)
    row = ROWS * SPACING[1] / 2 + across * np.sin(angle) + along * np.cos(angle)
    values = ndimage.map_coordinates(image, [row / SPACING[1], column / SPACING[2]], order=1)
    bright = np.clip(values - 40, 0, None) * (values < 200)
    return (bright * across).sum(1) / bright.sum(1)

"""Find the head's pose in a scan: one midsagittal plane for the whole head, over all slices at once.

The midsagittal plane cuts parallel slices in parallel lines whose lateral offset is linear in the slice's height, whatever
the yaw, roll, pitch or gantry tilt. A network judges every slice by itself; the plane is the robust consensus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.geometry.frame import Frame
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.maps import predict_maps
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.networks.outputs import PredictedMaps

SOFT_TISSUE_HU = -250.0
"""Between air and skin: what is above it belongs to the head."""
COARSE_MM = 2.0
"""The head's outline is looked for on about this grid."""
OPENING_STEPS = 3
"""Steps of ``COARSE_MM`` by which the mask is opened, as a diamond: takes off headrests, cushions and tubes. Where the pose
starts from moves every number by some 0.01 mm, so that this stays as it is until the models are trained anew."""
LARGE_SHARE = 0.6
"""Slices whose head is at least so large, against the largest, show where the head's middle is."""

MEASURABLE, BARELY_MEASURABLE = 0.5, 0.25
"""Least probabilities of a slice that fits the plane; the second where the first leaves too few slices."""
PLANE_HEIGHTS_MM = (-15.0, 50.0)
"""Heights above the anterior-commissure level between which the falx is long and the plane is fitted."""
MIN_MEASURABLE_SLICES = 3

FALX_LENGTH_MM = (95.0, 205.0)
"""Falx end to falx end: from a newborn's to a long adult head."""
LENGTH_PERCENTILE = 85
"""Of the slices' falx lengths, that is the head's: most slices cut the falx above or below its longest."""

TEMPLATE_HEIGHTS_MM = (-45.0, 65.0)
"""Heights that the network can distinguish; beyond, its outputs saturate."""
HEIGHT_RATE, HEIGHT_RATE_STEP = (0.75, 1.6), 0.05
"""Template millimetres a scan millimetre that are tried: small heads pass through the template faster."""
MIN_FITTED_HEIGHTS = 4
LEAST_HEIGHT_WEIGHT = 0.3
"""Weight of a slice that cannot be measured beside 1.3 of one that surely can: its height is seen, too."""

LATERAL_SPREAD_MM, LATERAL_SLOPE = 1.5, 0.5
"""Usual scatter of a slice's lateral offset about the plane, and of its slope over the slices (gantry tilt, roll)."""
FORWARD_SPREAD_MM, FORWARD_SLOPE = 4.0, 0.6
"""The same of the falx's middle along the plane, which moves with the skull's shape and the pitch."""
MAD_TO_SD = 1.48
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class HeadPose:
    """The midsagittal plane in every slice, and where each slice is in the head.

    Attributes:
        angle: radians; the in-plane unit normal toward the patient's left is (cos, sin) in (column, row).
        centre: (slice, 2) plane mm (column, row): the falx's middle, on the plane.
        falx_length_mm: falx end to falx end at the widest slices.
        measurable: (slice,) 0..1.
        height: (slice,) mm above the anterior-commissure level.
        spread_mm: robust spread of the single slices' lateral positions about the plane.
    """

    angle: float
    centre: np.ndarray
    falx_length_mm: float
    measurable: np.ndarray
    height: np.ndarray
    spread_mm: float

    def frame(self, size: int, pixel_mm: float, length_mm: float) -> Frame:
        """Return the aligned frame in which the falx spans ``length_mm`` frame millimetres.

        Args:
            size: grid points a side. pixel_mm: frame millimetres a grid step.
        """
        return Frame(size, pixel_mm, self.angle, self.falx_length_mm / length_mm, self.centre)


def head_centre(ct: HeadCT) -> np.ndarray:
    """Find the middle of the head's outline in the slices where it is large.

    Returns:
        (2,) plane mm (column, row).

    Raises:
        RefusedError: there is no head (code ``no-head``).
    """
    row_mm, column_mm = ct.pixel_spacing
    skip_row, skip_column = (max(1, round(COARSE_MM / step)) for step in (row_mm, column_mm))
    centres, areas = [], []
    spacing = (skip_row * row_mm, skip_column * column_mm)
    for image in ct.hu:
        mask = ndimage.binary_opening(image[::skip_row, ::skip_column] > SOFT_TISSUE_HU, iterations=OPENING_STEPS)
        head = largest_component(mask)
        if not head.any():
            continue
        rows, columns = np.flatnonzero(head.any(1)), np.flatnonzero(head.any(0))
        middle = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
        centres.append((middle[0] * spacing[1], middle[1] * spacing[0]))
        areas.append(head.sum())
    if not centres:
        raise RefusedError("No head was found in the scan; check that it is a head CT in Hounsfield units.", "no-head")
    large = np.array(areas) > LARGE_SHARE * np.max(areas)
    return np.median(np.array(centres)[large], axis=0)


def fit_heights(raw: np.ndarray, measurable: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
    """Fit a straight line to the predicted heights over the slices' true positions, by least absolute deviation.

    Args:
        raw: (slice,) predicted heights, mm. measurable: (slice,) 0..1. z_mm: (slice,) positions along the normal.

    Returns:
        (slice,) fitted heights, mm.
    """
    use = (raw > TEMPLATE_HEIGHTS_MM[0]) & (raw < TEMPLATE_HEIGHTS_MM[1])
    if use.sum() < MIN_FITTED_HEIGHTS:
        return raw
    best = (np.inf, 1.0, 0.0)
    for rate in np.arange(HEIGHT_RATE[0], HEIGHT_RATE[1] + 1e-9, HEIGHT_RATE_STEP):
        rest = raw[use] - rate * z_mm[use]
        offset = np.median(rest)
        error = np.average(np.abs(rest - offset), weights=LEAST_HEIGHT_WEIGHT + measurable[use])
        if error < best[0]:
            best = (error, rate, offset)
    return best[1] * z_mm + best[2]


@torch.inference_mode()
def estimate_pose(
    ct: HeadCT,
    network: torch.nn.Module,
    size: int,
    pixel_mm: float,
    length_mm: float,
    device: torch.device | str = "cpu",
    rounds: int = 2,
) -> HeadPose:
    """Find the midsagittal plane: predict on all slices as they are stored, fit, and do both again on the upright head.

    Each round has a better frame than the one before, so each cuts the slices out of the scan anew. These two cuts serve
    the pose alone: what is measured is cut once more, in the frame of the pose found here (``PosedSlices.align``).

    Args:
        ct: the scan.
        network: pose network (``MidlineUNet`` without flow heads), in eval mode on ``device``.
        size, pixel_mm: the network's grid.
        length_mm: frame length to which the falx is scaled after the first round.
        device: where to run.
        rounds: predictions; from the second on the head is nearly upright, centred and of known size.

    Raises:
        RefusedError: no head, or too few slices show the falx (codes ``no-head``, ``no-midline``).
    """
    device, every = torch.device(device), np.arange(ct.n_slices)
    frame = Frame(size, pixel_mm, 0.0, 1.0, np.tile(head_centre(ct), (ct.n_slices, 1)))
    pose = _fit(ct, frame, predict_maps(AlignedSlices(ct, frame, every), network, device))
    for _ in range(rounds - 1):
        frame = pose.frame(size, pixel_mm, length_mm)
        pose = _fit(ct, frame, predict_maps(AlignedSlices(ct, frame, every), network, device))
    return pose


def _fit(ct: HeadCT, frame: Frame, maps: PredictedMaps) -> HeadPose:
    """Fit the plane to the maps of all slices, which are in ``frame``."""
    z = ct.heights
    height = fit_heights(maps.height, maps.measurable, z)
    use = _slices_of_the_plane(maps.measurable, height)
    ends, peak = lines.soft_argmax(maps.attachments[use], frame.size)
    angles, _offsets = lines.line_through(ends[:, 0], ends[:, 1])
    weights = maps.measurable[use] * peak.min(1)
    fits = [lines.line_of_distance_map(maps.ideal[k], maps.inside[k], frame.size) for k in use]
    fitted = [(row, fit) for row, fit in enumerate(fits) if fit is not None]
    turn = lines.weighted_median(
        np.array([*angles, *(fit[0] for _, fit in fitted)]), np.array([*weights, *(weights[row] for row, _ in fitted)])
    )
    n, u = lines.normal(turn), lines.direction(turn)
    middle = ends.mean(1)
    # lateral offset of each slice's own line at the falx's middle, along the common normal: by attachments and by map
    by_map = [middle[row] @ n - (middle[row] @ lines.normal(fit[0]) - fit[1]) for row, fit in fitted]
    lateral_mm = np.r_[middle @ n, by_map] * frame.step_mm
    z_lateral = np.r_[z[use], [z[use[row]] for row, _ in fitted]]
    w_lateral = np.r_[weights, [weights[row] for row, _ in fitted]]
    a, b = lines.robust_linear(z_lateral, lateral_mm, w_lateral, spread=LATERAL_SPREAD_MM, slope_limit=LATERAL_SLOPE)
    c, d = lines.robust_linear(
        z[use], middle @ u * frame.step_mm, weights, spread=FORWARD_SPREAD_MM, slope_limit=FORWARD_SLOPE
    )
    residual = np.abs(lateral_mm - a - b * z_lateral)
    length = np.percentile(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) * frame.step_mm, LENGTH_PERCENTILE)
    offset_mm = (a + b * z)[:, None] * n + (c + d * z)[:, None] * u
    return HeadPose(
        angle=frame.angle + turn,
        centre=frame.centre + offset_mm @ frame.axes,
        falx_length_mm=float(np.clip(length, *FALX_LENGTH_MM)),
        measurable=maps.measurable,
        height=height,
        spread_mm=float(MAD_TO_SD * np.median(residual)),
    )


def _slices_of_the_plane(measurable: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the indices of the slices that the plane is fitted to. RefusedError if there are too few."""
    low, high = PLANE_HEIGHTS_MM
    use = np.flatnonzero((measurable > MEASURABLE) & (height > low) & (height < high))
    if len(use) < MIN_MEASURABLE_SLICES + 1:
        use = np.flatnonzero(measurable > BARELY_MEASURABLE)
    if len(use) < MIN_MEASURABLE_SLICES:
        raise RefusedError(
            f"The falx could be seen from end to end in only {len(use)} of {len(height)} slices, too few to find the "
            "head's midsagittal plane; the scan may be cut off, strongly rotated, blurred by motion or not a head.",
            "no-midline",
        )
    return use

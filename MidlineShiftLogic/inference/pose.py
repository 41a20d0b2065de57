"""The head's pose in the scan: one mid-plane for the whole head, found over all slices at once.

The mid-sagittal plane cuts parallel slices in parallel lines whose offset is linear in the slice's height, whatever
the yaw, roll, pitch or gantry tilt. A network reads every slice by itself; the plane is the robust consensus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from MidlineShiftLogic.errors import RefusedError
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.geometry.frame import Frame, align
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.batches import batch_size, in_batches
from MidlineShiftLogic.inference.window import two_windows

SOFT_TISSUE_HU = -250.0
MEASURABLE = 0.5
# Falx end to falx end in millimetres: from a newborn's to a long adult head.
FALX_LENGTH_MM = (95.0, 205.0)
MIN_MEASURABLE_SLICES = 3
BATCH = 16
# Template millimetres a scan millimetre: small heads pass through the template faster.
HEIGHT_RATE = (0.75, 1.6)


@dataclass(frozen=True)
class HeadPose:
    """The mid-plane in every slice, and where each slice lies in the head.

    Attributes:
        angle: radians; the in-plane unit normal toward the patient's left is (cos, sin) in (column, row).
        centre: (slice, 2) plane mm (column, row): the falx's middle, on the mid-plane.
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
        """The aligned frame in which the falx spans ``length_mm`` frame millimetres."""
        return Frame(size, pixel_mm, self.angle, self.falx_length_mm / length_mm, self.centre)


def head_centre(ct: HeadCT) -> np.ndarray:
    """(2,) plane mm (column, row): middle of the head's outline in the slices where it is large."""
    row_mm, column_mm = ct.pixel_spacing
    skip_row, skip_column = (max(1, round(2.0 / step)) for step in (row_mm, column_mm))
    centres, areas = [], []
    for image in ct.hu:
        mask = ndimage.binary_opening(image[::skip_row, ::skip_column] > SOFT_TISSUE_HU, iterations=3)
        labels, count = ndimage.label(mask)
        if not count:
            continue
        sizes = np.bincount(labels.ravel())[1:]
        rows, columns = ndimage.find_objects(labels)[int(sizes.argmax())]
        left_right, front_back = columns.start + columns.stop - 1, rows.start + rows.stop - 1
        centres.append((left_right / 2 * skip_column * column_mm, front_back / 2 * skip_row * row_mm))
        areas.append(sizes.max())
    if not centres:
        raise RefusedError("No head was found in the scan; check that it is a head CT in Hounsfield units.", "no-head")
    centres, areas = np.array(centres), np.array(areas)
    return np.median(centres[areas > 0.6 * areas.max()], axis=0)


def fit_heights(raw: np.ndarray, measurable: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
    """Straight line of the predicted heights over the slices' true positions, by least absolute deviation.

    Args:
        raw: (slice,) predicted heights, mm. measurable: (slice,) 0..1. z_mm: (slice,) positions along the normal.

    Returns:
        (slice,) fitted heights, mm.
    """
    use = (raw > -45) & (raw < 65)
    if use.sum() < 4:
        return raw
    best = (np.inf, 1.0, 0.0)
    for rate in np.arange(HEIGHT_RATE[0], HEIGHT_RATE[1] + 1e-9, 0.05):
        rest = raw[use] - rate * z_mm[use]
        offset = np.median(rest)
        error = np.average(np.abs(rest - offset), weights=0.3 + measurable[use])
        if error < best[0]:
            best = (error, rate, offset)
    return best[1] * z_mm + best[2]


def _read_slices(ct: HeadCT, frame: Frame, network: torch.nn.Module, device: torch.device) -> list[np.ndarray]:
    frame = frame.upsampled(network.upsampling)

    def read(part: slice) -> list[np.ndarray]:
        inputs = two_windows(align(ct, frame, range(part.start, part.stop), device))
        outputs = network(inputs)
        # the mirrored slice is read too: left and right then come out alike
        mirrored = network(inputs.flip(-1))
        values = [
            (outputs.attachments + mirrored.attachments.flip(-1)) / 2,
            (outputs.ideal - mirrored.ideal.flip(-1)) / 2,
            torch.sigmoid((outputs.inside + mirrored.inside.flip(-1)) / 2),
            torch.sigmoid((outputs.measurable + mirrored.measurable) / 2),
            (outputs.height + mirrored.height) / 2,
        ]
        return [value.float().cpu().numpy() for value in values]

    parts = in_batches(read, ct.n_slices, batch_size(device, BATCH))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _fit(ct: HeadCT, frame: Frame, outputs) -> HeadPose:
    heat, ideal, inside, measurable, raw_height = outputs
    z = ct.heights
    height = fit_heights(raw_height, measurable, z)
    use = np.flatnonzero((measurable > MEASURABLE) & (height > -15) & (height < 50))
    if len(use) < MIN_MEASURABLE_SLICES + 1:
        use = np.flatnonzero(measurable > 0.25)
    if len(use) < MIN_MEASURABLE_SLICES:
        raise RefusedError(
            f"The falx could be seen from end to end in only {len(use)} of {ct.n_slices} slices, too few to find the "
            "head's mid-plane; the scan may be cut off, strongly rotated, blurred by motion or not a head.",
            "no-midline",
        )
    ends, peak = lines.soft_argmax(heat[use], frame.size)
    angles, _offsets = lines.line_through(ends[:, 0], ends[:, 1])
    weights = measurable[use] * peak.min(1)
    all_angles, all_weights = list(angles), list(weights)
    fits = [lines.line_of_distance_map(ideal[k], inside[k], frame.size) for k in use]
    for fit, weight in zip(fits, weights, strict=True):
        if fit is not None:
            all_angles.append(fit[0])
            all_weights.append(weight)
    turn = lines.weighted_median(np.array(all_angles), np.array(all_weights))
    n, u = lines.normal(turn), lines.direction(turn)
    middle = ends.mean(1)
    # lateral position of each slice's own line at the falx's middle, measured along the common normal
    lateral = np.r_[
        middle @ n, [m @ n - (m @ lines.normal(f[0]) - f[1]) for m, f in zip(middle, fits, strict=True) if f]
    ]
    z_lateral = np.r_[z[use], [z[k] for k, f in zip(use, fits, strict=True) if f]]
    w_lateral = np.r_[weights, [w for w, f in zip(weights, fits, strict=True) if f]]
    step = frame.step_mm
    a, b = lines.robust_linear(z_lateral, lateral * step, w_lateral, spread=1.5, slope_limit=0.5)
    c, d = lines.robust_linear(z[use], middle @ u * step, weights, spread=4.0, slope_limit=0.6)
    residual = np.abs(lateral * step - a - b * z_lateral)
    length = np.percentile(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) * step, 85)
    axes = frame.axes
    offset_mm = (a + b * z)[:, None] * n + (c + d * z)[:, None] * u
    return HeadPose(
        angle=frame.angle + turn,
        centre=frame.centre + offset_mm @ axes,
        falx_length_mm=float(np.clip(length, *FALX_LENGTH_MM)),
        measurable=measurable,
        height=height,
        spread_mm=float(1.48 * np.median(residual)),
    )


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
    """Find the mid-plane: read all slices as they lie, fit, turn the head upright, and read and fit again.

    Args:
        ct: the scan.
        network: pose network (``MidlineUNet`` without flow heads), in eval mode on ``device``.
        size, pixel_mm: the network's grid.
        length_mm: frame length to which the falx is scaled after the first round.
        device: where to run.
        rounds: readings; from the second on the head is nearly upright, centred and of known size.

    Raises:
        RefusedError: no head, or too few slices show the falx (codes ``no-head``, ``no-midline``).
    """
    device = torch.device(device)
    frame = Frame(size, pixel_mm, 0.0, 1.0, np.tile(head_centre(ct), (ct.n_slices, 1)))
    pose = _fit(ct, frame, _read_slices(ct, frame, network, device))
    for _ in range(rounds - 1):
        frame = pose.frame(size, pixel_mm, length_mm)
        pose = _fit(ct, frame, _read_slices(ct, frame, network, device))
    return pose

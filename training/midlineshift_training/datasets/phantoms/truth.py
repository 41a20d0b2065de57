"""Labels of a case, computed from its maps alone (never from its picture)."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from midlineshift_training.datasets.phantoms.fields import sample
from midlineshift_training.datasets.phantoms.pose import NODES, SIZE, Pose
from midlineshift_training.datasets.phantoms.tissue_model import HEAD
from midlineshift_training.datasets.phantoms.variation import Variation, depth_volume
from MidlineShiftLogic.geometry import resampling
from MidlineShiftLogic.geometry.inversion import invert_displacement
from MidlineShiftLogic.masks import longest_run

FRACTIONS = np.linspace(0.10, 0.90, 41)  # along the ideal midline, from its anterior end
FINE_FRACTIONS = np.linspace(0.02, 0.98, 97)
SHIFTED_WINDOW = (0.25, 0.60)  # fractions in which the landmark "shifted" is looked for
SEPTUM_WINDOW = (0.30, 0.46)
SEPTUM_FRACTION = 0.38
CASE_HEIGHTS_MM = (0.0, 24.0)
USABLE_HEIGHTS_MM = (-18.0, 58.0)
MIN_LENGTH_MM = 70.0
MAX_DEVIATION_MM = 32.0
INVERSION_STEPS = 80
INVERSION_DAMPING = 0.55
INVERSION_TOLERANCE_PX = 0.01


def midlines(pose: Pose, variation: Variation, x_nodes: torch.Tensor) -> dict[str, np.ndarray]:
    """Return the ideal and deformed midline of every slice; see ``case.py`` for the keys.

    Args:
        x_nodes: (n, NODES, NODES) template x before the shift, on the coarse nodes that the picture was drawn with.
    """
    matrix, shift = pose.affine()
    across = -matrix[0, :2]  # change of -x (toward the left) per column and row
    size = np.linalg.norm(across)
    normal = across / size
    angle = float(np.arctan2(normal[1], normal[0]))
    along = np.array([-normal[1], normal[0]])
    n, pixel = pose.n_slices, pose.pixel_mm
    offsets = (matrix[0, 2] * pose.heights_mm + shift[0]) / size
    result = {
        "line_angle": np.float32(angle),
        "line_offset": offsets.astype(np.float32),
        "landmarks": np.full((n, 4, 2), np.nan, np.float32),
        "midline_shift_mm": np.full((n, len(FRACTIONS)), np.nan, np.float32),
        "signed_shift_mm": np.full(n, np.nan, np.float32),
        "has_midline": np.zeros(n, bool),
    }
    centre = np.full(2, (SIZE - 1) / 2)
    run = np.arange(-220, 220.01, 0.5) / pixel
    deviations = np.arange(-MAX_DEVIATION_MM, MAX_DEVIATION_MM + 0.1, 0.5)
    heights = np.empty(n)
    for k in range(n):
        height = pose.heights_mm[k]

        def head(points: np.ndarray, height: float = height) -> torch.Tensor:
            return pose.to_head(np.concatenate([points, np.full((*points.shape[:-1], 1), height)], -1))

        foot = offsets[k] * normal + (centre @ along) * along
        line = foot + run[:, None] * along
        depth = sample(depth_volume(), variation.to_template(head(line)), HEAD)[0].numpy()
        ends = _longest_run(run, depth)
        middle = centre if ends is None else foot + (ends[0] + SEPTUM_FRACTION * (ends[1] - ends[0])) * along
        heights[k] = float(variation.to_template(head(middle[None]))[0, 2])
        if ends is None:
            continue
        front, back = (foot + t * along for t in ends)
        if min(front.min(), back.min()) < 0 or max(front.max(), back.max()) > SIZE - 1:
            continue
        ideal = front + FINE_FRACTIONS[:, None] * (back - front)
        candidates = ideal[:, None] + (deviations / pixel)[None, :, None] * normal
        where = torch.from_numpy(candidates[..., ::-1].copy()).float().permute(2, 0, 1)[None]
        leftness = -interpolate_field(x_nodes[k][None, None], where)[0, 0].numpy()
        deviation = _zero_crossing(deviations, leftness)
        if not np.isfinite(deviation).all():
            continue
        result["midline_shift_mm"][k] = np.interp(FRACTIONS, FINE_FRACTIONS, deviation)
        window = (SHIFTED_WINDOW[0] <= FINE_FRACTIONS) & (SHIFTED_WINDOW[1] >= FINE_FRACTIONS)
        best = np.flatnonzero(window)[np.argmax(np.abs(deviation[window]))]
        result["signed_shift_mm"][k] = deviation[best]
        shifted = ideal[best] + deviation[best] / pixel * normal
        result["landmarks"][k] = np.stack([front, back, shifted, ideal[best]])
        long_enough = (ends[1] - ends[0]) * pixel >= MIN_LENGTH_MM
        result["has_midline"][k] = long_enough and USABLE_HEIGHTS_MM[0] < heights[k] < USABLE_HEIGHTS_MM[1]
    result["height_mm"] = heights.astype(np.float32)
    result["case_shift_mm"] = np.float32(_case_shift(result))
    return result


def _longest_run(position: np.ndarray, depth: np.ndarray) -> tuple[float, float] | None:
    """Return ends (linear interpolation) of the longest stretch with depth > 0, or None."""
    longest = longest_run(depth > 0)
    if not len(longest):
        return None
    first, last = longest[0], longest[-1]
    if first == 0 or last == len(depth) - 1:
        return None
    start = position[first] - (position[1] - position[0]) * depth[first] / (depth[first] - depth[first - 1])
    end = position[last] + (position[1] - position[0]) * depth[last] / (depth[last] - depth[last + 1])
    return float(start), float(end)


def _zero_crossing(deviations: np.ndarray, leftness: np.ndarray) -> np.ndarray:
    """Return deviation at which the pre-shift position is on the midsagittal plane; the crossing nearest to the ideal line.

    Args:
        deviations: (D,) mm toward the left.
        leftness: (S, D) pre-shift -x; grows with the deviation.

    Returns:
        (S,) mm, NaN where there is none.
    """
    crossing = (leftness[:, :-1] <= 0) & (leftness[:, 1:] > 0)
    distance = np.where(crossing, np.abs(deviations[:-1] + 0.25), np.inf)
    best = distance.argmin(1)
    rows = np.arange(len(leftness))
    low, high = leftness[rows, best], leftness[rows, best + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = deviations[best] + (deviations[1] - deviations[0]) * -low / (high - low)
    return np.where(crossing[rows, best], value, np.nan)


def _case_shift(result: dict[str, np.ndarray]) -> float:
    """Return signed shift of the case: mean over the septum window, smoothed over slices, the largest near the septum."""
    usable = result["has_midline"]
    if not usable.any():
        return 0.0
    window = (SEPTUM_WINDOW[0] <= FRACTIONS) & (SEPTUM_WINDOW[1] >= FRACTIONS)
    shift = result["midline_shift_mm"][usable][:, window].mean(1)
    shift = ndimage.gaussian_filter1d(shift, 1.0, mode="nearest")
    height = result["height_mm"][usable]
    near = (height >= CASE_HEIGHTS_MM[0]) & (height <= CASE_HEIGHTS_MM[1])
    if not near.any():
        near = np.abs(height - np.mean(CASE_HEIGHTS_MM)) == np.abs(height - np.mean(CASE_HEIGHTS_MM)).min()
    return float(shift[near][np.argmax(np.abs(shift[near]))])


def displacement_fields(pose: Pose, displacement: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return in-plane displacement toward the unshifted head and its inverse.

    Args:
        displacement: (n, NODES, NODES, 3) head units, b - identity at the coarse nodes.

    Returns:
        two (n, 2, NODES, NODES) float32 arrays in pixels of the slice, channel 0 rows, 1 columns.
    """
    field = pose.to_pixels(displacement).permute(0, 3, 1, 2).contiguous()
    return field.numpy(), invert(field).numpy()


def interpolate_field(field: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Return bilinear values (n, C, H, W) of coarse maps at (n, 2, H, W) (row, column) pixel positions, edges repeated."""
    unit = where / (SIZE - 1) * 2 - 1
    return resampling.sample(field, unit.flip(1).permute(0, 2, 3, 1), padding="border")


def node_positions() -> torch.Tensor:
    """Return (1, 2, NODES, NODES) (row, column) pixel positions of the coarse nodes."""
    ticks = torch.linspace(0, SIZE - 1, NODES)
    return torch.stack(torch.meshgrid(ticks, ticks, indexing="ij"))[None]


def invert(field: torch.Tensor) -> torch.Tensor:
    """Return in-plane inverse v of p + u(p) on the coarse nodes: v(q) = -u(q + v(q)), by damped fixed-point iteration.

    The damping lets it converge where the map stretches (gradients of u above 1), beside large bleeds.
    """
    here = node_positions()
    return invert_displacement(
        lambda inverse, members: interpolate_field(field[members], here + inverse),
        -field,
        iterations=INVERSION_STEPS,
        damping=INVERSION_DAMPING,
        tolerance=INVERSION_TOLERANCE_PX,
    )

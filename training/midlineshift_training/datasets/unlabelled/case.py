"""Real scans without readings as training data: an unshifted head plus a midline bent by a known amount.

Gong et al. train semi-supervised: most of their scans carry no landmarks, and of unshifted ones only that they are
unshifted. Here a model that was trained on phantoms finds the midsagittal plane of every such scan, the falx is followed
from there in the picture (``falx_trace``), and training bends the midline further by in-plane warps whose truth is known exactly
(``midline_dataset``). So the networks meet real falces, real texture, and large shifts on it, without one reading.

The files are those of the phantoms (``phantoms.case``) with ``pseudo`` set. The displacement is the little that carries
the midline between the attachments onto the straight line through them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from midlineshift_training.datasets.phantoms.pose import NODES, SIZE
from midlineshift_training.datasets.phantoms.truth import FRACTIONS, SEPTUM_FRACTION
from midlineshift_training.datasets.unlabelled.falx_trace import ALONG, network_midline, trace_falx
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pipeline import run_networks
from MidlineShiftLogic.measurement.midline_curves import find_midlines
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.networks.outputs import PredictedMaps

PIXEL_MM = (0.7, 1.1)
FADE_MM = 60.0  # from the midline to where the brain no longer follows it
FIELD_OF_HEADS = 1.32  # edge of the square that is kept, in falx lengths


def unlabelled_case(ct: HeadCT, model: Model, name: str, source: tuple[str, str] = ("", "")) -> dict[str, np.ndarray]:
    """Return entries of the training file of one scan that is known to be unshifted.

    Args:
        ct: the scan. model: finds the midsagittal plane. name: of the scan.
        source: name and licence of its collection; kept in ``meta`` as the name is.

    Raises:
        RefusedError: the model finds no midline.
    """
    read = run_networks(ct, model, "cpu")
    curves = find_midlines(read.maps, read.frame, ct.heights[read.chosen], read.height, read.settings)
    frame = read.frame
    index = read.chosen[curves.index]
    # the plane through all slices, in plane mm: one angle, an offset linear in the slice's position
    angle = frame.angle + lines.weighted_median(curves.angle, curves.confidence)
    n, u = lines.normal(angle), lines.direction(angle)
    ends = np.stack([frame.to_plane(k, curves.falx_attachments[j] + (frame.size - 1) / 2) for j, k in enumerate(index)])
    z = ct.heights
    across = lines.robust_linear(z[index], ends.mean(1) @ n, curves.confidence, spread=1.5, slope_limit=0.5)
    offset = across[0] + across[1] * z
    along = ends @ u
    start = (across[0] + across[1] * z[index])[:, None] * n + along[:, :1] * u
    length = along[:, 1] - along[:, 0]
    guess = network_midline(frame, index, curves, start, length, angle)
    midline = trace_falx(ct, index, start, length, angle, guess)
    attached = midline[:, :1] + ALONG * (midline[:, -1:] - midline[:, :1])
    deviation = midline - attached

    pixel = float(np.clip(FIELD_OF_HEADS * np.percentile(length, 90) / SIZE, *PIXEL_MM))
    corner = np.median(frame.centre, axis=0) - pixel * (SIZE - 1) / 2
    count = ct.n_slices
    ends = start[:, None] + np.stack([midline[:, [0]] * n, length[:, None] * u + midline[:, [-1]] * n], 1)
    septum = ends[:, 0] + SEPTUM_FRACTION * (ends[:, 1] - ends[:, 0])
    at_septum = np.array([np.interp(SEPTUM_FRACTION, ALONG, row) for row in deviation])
    landmarks = np.full((count, 4, 2), np.nan, np.float32)
    landmarks[index] = (np.stack([*ends.swapaxes(0, 1), septum + at_septum[:, None] * n, septum], 1) - corner) / pixel
    nodes = np.linspace(0, SIZE - 1, NODES) * pixel
    points = np.stack(np.meshgrid(nodes + corner[0], nodes + corner[1]), -1)
    displacement = np.zeros((count, 2, NODES, NODES), np.float16)
    for j, k in enumerate(index):
        displacement[k] = straightening_field(points - start[j], n, u, length[j], attached[j], deviation[j]) / pixel
    has = np.zeros(count, bool)
    has[index] = True
    profile = np.full((count, len(FRACTIONS)), np.nan, np.float32)
    profile[index] = np.array([np.interp(FRACTIONS, ALONG, row) for row in deviation])
    slope, level = np.polyfit(z[read.chosen], read.height, 1)
    meta = {"scan": name, "model": model.provenance["name"], "source": source[0], "source_licence": source[1]}
    return {
        "hu": cut_to_grid(ct, corner, pixel),
        "pixel_mm": np.float64(pixel),
        "thickness_mm": np.float64(np.median(ct.thickness)),
        "heights_mm": z,
        "displacement_px": displacement,
        "inside": inside_of_skull(read.maps, frame, read.chosen, count, corner, pixel),
        "line_angle": np.float32(angle),
        "line_offset": ((offset - corner @ n) / pixel).astype(np.float32),
        "landmarks": landmarks,
        "midline_shift_mm": profile,
        "height_mm": (slope * z + level).astype(np.float32),
        "has_midline": has,
        "case_shift_mm": np.float32(0),
        "pseudo": np.array(True),
        "meta": np.array(json.dumps(meta)),
    }


def straightening_field(points, n, u, length: float, attached: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return (2, NODES, NODES) mm, rows and columns: the displacement that carries a slice's midline onto its ideal line.

    Args:
        points: (NODES, NODES, 2) plane mm (column, row) from the plane's anterior end. n, u: of the plane, toward the left
            and backward. length: mm. attached, deviation: (len(ALONG),) mm of the ideal line from the plane, and of the
            midline from that line.
    """
    fraction = points @ u / length
    aside = points @ n - np.interp(fraction, ALONG, attached + deviation)
    fade = np.cos(np.clip(aside / FADE_MM, -1, 1) * np.pi / 2) ** 2
    amount = -np.interp(fraction, ALONG, deviation, left=0, right=0) * fade
    return np.stack([amount * n[1], amount * n[0]])


def cut_to_grid(ct: HeadCT, corner: np.ndarray, pixel: float) -> np.ndarray:
    """Return (n, SIZE, SIZE) int16: the scan cut to the file's grid; the pictures are averaged where they are finer."""
    row_mm, column_mm = ct.pixel_spacing
    ticks = np.arange(SIZE) * pixel
    rows, columns = (corner[1] + ticks) / row_mm, (corner[0] + ticks) / column_mm
    where = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    blur = [0.35 * max(0.0, pixel / mm - 1) for mm in (row_mm, column_mm)]
    hu = np.empty((ct.n_slices, SIZE, SIZE), np.int16)
    for k, image in enumerate(ct.hu):
        smooth = ndimage.gaussian_filter(image.astype(np.float32), blur)
        cut = ndimage.map_coordinates(smooth, where, order=1, mode="constant", cval=-1000.0)
        hu[k] = np.clip(np.rint(cut), -1024, 3071)
    return hu


def inside_of_skull(maps: PredictedMaps, frame, chosen, count: int, corner: np.ndarray, pixel: float) -> np.ndarray:
    """Return (n, SIZE / 2, SIZE / 2) uint8: inside the inner table by the network, on the file's blocks of two pixels."""
    half = SIZE // 2
    ticks = (np.arange(half) * 2 + 0.5) * pixel
    plane = np.stack(np.meshgrid(corner[0] + ticks, corner[1] + ticks), -1)
    inside = np.zeros((count, half, half), np.uint8)
    for j, k in enumerate(chosen):
        nodes = (frame.from_plane(k, plane) - 0.5) / 2
        value = ndimage.map_coordinates(maps.inside[j], np.moveaxis(nodes[..., ::-1], -1, 0), order=1, mode="constant")
        inside[k] = value > 0.5
    return inside


def write_unlabelled_case(path: Path, entries: dict[str, Any]) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_suffix(".part")
    try:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **entries)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

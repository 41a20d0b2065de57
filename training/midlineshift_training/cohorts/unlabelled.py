"""Real scans without readings as training data: an unshifted head plus a midline bent by a known amount.

Gong et al. train semi-supervised: most of their scans carry no landmarks, and of unshifted ones only that they are
unshifted. Here a model that was trained on phantoms finds the mid-plane of every such scan; the deformed midline is then
taken to be that plane (a scan without haemorrhage is unshifted), and training bends it by in-plane warps whose truth is
known exactly (``reading_batches``). So the networks meet real texture, and large shifts on it, without one reading.

The files are those of the phantoms (``phantoms.case``) with a displacement of zero and ``pseudo`` set.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from midlineshift_training.phantoms.pose import NODES, SIZE
from midlineshift_training.phantoms.truth import FRACTIONS, SEPTUM_FRACTION
from MidlineShiftLogic.geometry import lines
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.readout import read_curves
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.networks.maps import NetworkMaps
from MidlineShiftLogic.pipeline.measure import read_networks

PIXEL_MM = (0.7, 1.1)
FIELD_OF_HEADS = 1.32  # edge of the square that is kept, in falx lengths


def pseudo_case(ct: HeadCT, model: Model, name: str) -> dict[str, np.ndarray]:
    """Entries of the training file of one scan that is known to be unshifted.

    Args:
        ct: the scan. model: finds the mid-plane. name: of the scan, kept in ``meta``.

    Raises:
        RefusedError: the model finds no midline.
    """
    read = read_networks(ct, model, "cpu")
    curves = read_curves(read.maps, read.frame, ct.heights[read.chosen], read.height, read.settings)
    frame = read.frame
    index = read.chosen[curves.index]
    # the plane through all slices, in plane mm: one angle, an offset linear in the slice's position
    angle = frame.angle + lines.weighted_median(curves.angle, curves.confidence)
    n, u = lines.normal(angle), lines.direction(angle)
    ends = np.stack([frame.to_plane(k, curves.ends[j] + (frame.size - 1) / 2) for j, k in enumerate(index)])
    z = ct.heights
    across = lines.robust_linear(z[index], ends.mean(1) @ n, curves.confidence, spread=1.5, slope_limit=0.5)
    offset = across[0] + across[1] * z
    along = ends @ u

    pixel = float(np.clip(FIELD_OF_HEADS * np.percentile(along[:, 1] - along[:, 0], 90) / SIZE, *PIXEL_MM))
    corner = np.median(frame.centre, axis=0) - pixel * (SIZE - 1) / 2
    count = ct.n_slices
    offset = offset - corner @ n
    along = along - corner @ u
    on_line = (offset[index, None] * n)[:, None] + along[..., None] * u
    landmarks = np.full((count, 4, 2), np.nan, np.float32)
    septum = on_line[:, 0] + SEPTUM_FRACTION * (on_line[:, 1] - on_line[:, 0])
    landmarks[index] = np.stack([on_line[:, 0], on_line[:, 1], septum, septum], 1) / pixel
    has = np.zeros(count, bool)
    has[index] = True
    profile = np.full((count, len(FRACTIONS)), np.nan, np.float32)
    profile[index] = 0
    slope, level = np.polyfit(z[read.chosen], read.height, 1)
    return {
        "hu": _slices(ct, corner, pixel),
        "pixel_mm": np.float64(pixel),
        "thickness_mm": np.float64(np.median(ct.thickness)),
        "heights_mm": z,
        "displacement_px": np.zeros((count, 2, NODES, NODES), np.float16),
        "inside": _inside(read.maps, frame, read.chosen, count, corner, pixel),
        "line_angle": np.float32(angle),
        "line_offset": (offset / pixel).astype(np.float32),
        "landmarks": landmarks,
        "midline_shift_mm": profile,
        "height_mm": (slope * z + level).astype(np.float32),
        "has_midline": has,
        "case_shift_mm": np.float32(0),
        "pseudo": np.array(True),
        "meta": np.array(json.dumps({"scan": name, "model": model.provenance["name"]})),
    }


def _slices(ct: HeadCT, corner: np.ndarray, pixel: float) -> np.ndarray:
    """(n, SIZE, SIZE) int16: the scan cut to the file's grid; the pictures are averaged where they are finer."""
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


def _inside(maps: NetworkMaps, frame, chosen, count: int, corner: np.ndarray, pixel: float) -> np.ndarray:
    """(n, SIZE / 2, SIZE / 2) uint8: inside the inner table by the network, on the file's blocks of two pixels."""
    half = SIZE // 2
    ticks = (np.arange(half) * 2 + 0.5) * pixel
    plane = np.stack(np.meshgrid(corner[0] + ticks, corner[1] + ticks), -1)
    inside = np.zeros((count, half, half), np.uint8)
    for j, k in enumerate(chosen):
        nodes = (frame.from_plane(k, plane) - 0.5) / 2
        value = ndimage.map_coordinates(maps.inside[j], np.moveaxis(nodes[..., ::-1], -1, 0), order=1, mode="constant")
        inside[k] = value > 0.5
    return inside


def write_pseudo_case(path: Path, entries: dict[str, np.ndarray]) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_suffix(".part")
    try:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **entries)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

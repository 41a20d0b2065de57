"""Bring stored axes into canonical order by transposes and flips alone; no value is ever resampled."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.quality import Quality

MAX_AXIAL_ANGLE = 40.0
"""Degrees between the slice normal and the patient's long axis; gantries tilt by at most 30, and a head bent forward
by more than this gives slices on which the midline structures are no longer arranged as in an axial picture."""

MAX_MM = 1e6
"""Positions and voxel sizes beyond this are errors of the header."""

MAX_PLANE_SKEW = 0.02
"""Cosine between rows and columns: beyond about one degree the picture is a parallelogram (an affine registration)."""


def spacing_of(affine: np.ndarray) -> list[float]:
    """Return the voxel size in mm along each stored axis, rounded for ``HeadCT.source``.

    Args:
        affine: (4, 4) stored index -> mm.
    """
    return [round(float(step), 4) for step in np.linalg.norm(affine[:3, :3], axis=0)]


def axis_order(axes: np.ndarray) -> tuple[int, int, int]:
    """Return which stored axis runs left-right, which front-back and which along the body.

    Args:
        axes: (3, 3), one LPS direction vector (any length) per column, one column per stored axis.

    Returns:
        Stored axis indices (closest to L, closest to P, closest to S), up to sign.
    """
    closeness = np.abs(axes / np.linalg.norm(axes, axis=0))
    column, row, up = max(permutations(range(3)), key=lambda order: sum(closeness[i, order[i]] for i in range(3)))
    return column, row, up


def storage_order(affine: np.ndarray) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Determine how the axes of a volume are brought into canonical order.

    Args:
        affine: (4, 4) stored index -> LPS mm.

    Returns:
        Stored axes that become (column, row, slice), and which of these run the other way and are flipped.
    """
    axes = np.asarray(affine[:3, :3], dtype=float)
    order = axis_order(axes)
    column, row, up = (bool(axes[target, axis] < 0) for target, axis in enumerate(order))
    return order, (column, row, up)


def from_volume(
    voxels: np.ndarray,
    affine: np.ndarray,
    to_hu: Callable[[np.ndarray], np.ndarray] | None = None,
    sop_instance_uids: tuple[str, ...] = (),
) -> AxialStack:
    """Make an axial stack of a volume in any storage order.

    The affine may be sheared along the slice axis (gantry tilt): the in-plane axes stay true, and each slice gets its
    own origin.

    Args:
        voxels: (i, j, k) stored values; kept by reference.
        affine: (4, 4) stored index -> LPS mm.
        to_hu: stored values of one slice -> Hounsfield units; None where the values are Hounsfield units.
        sop_instance_uids: the DICOM instances the volume was built from; every slice of a reformatted volume needs all.

    Raises:
        InputError: the affine does not span space.
    """
    axes = np.asarray(affine[:3, :3], dtype=float)
    lengths = np.linalg.norm(axes, axis=0)
    if (
        not np.isfinite(affine).all()
        or np.abs(affine).max() > MAX_MM
        or (lengths <= 0).any()
        or abs(np.linalg.det(axes / lengths)) < 1e-3
    ):
        raise InputError(
            "The scan has no usable geometry (its voxel sizes or directions are zero or degenerate); "
            "export it again from the original DICOM images.",
            "no-geometry",
        )
    (left, back, up), flipped = storage_order(affine)
    origin = np.asarray(affine[:3, 3], dtype=float).copy()
    flips = []
    for axis, turned in zip((left, back, up), flipped, strict=True):
        if turned:
            origin += axes[:, axis] * (voxels.shape[axis] - 1)
        flips.append(slice(None, None, -1) if turned else slice(None))
    signs = [-1.0 if flip.step else 1.0 for flip in flips]
    ordered = voxels.transpose(up, back, left)[flips[2], flips[1], flips[0]]

    count = voxels.shape[up]
    stored_index = range(count)[flips[2]]
    step = axes[:, up] * signs[2]
    column_axis, row_axis, skewed = _plane_axes(axes[:, left] * signs[0], axes[:, back] * signs[1])
    stack = AxialStack(
        plane=(lambda k: ordered[k]) if to_hu is None else (lambda k: to_hu(ordered[k])),
        shape=(voxels.shape[back], voxels.shape[left]),
        origins=origin + np.arange(count)[:, None] * step,
        column_axis=column_axis,
        row_axis=row_axis,
        pixel_spacing=(float(lengths[back]), float(lengths[left])),
        thickness=np.full(count, np.nan),
        source_slices=tuple((index,) for index in stored_index),
        sop_instance_uids=(tuple(sop_instance_uids),) * count if sop_instance_uids else (),
    )
    stack.source["slice_axis"] = up
    stack.quality.extend([*_skew_flags(skewed), *axial_flags(stack.normal)])
    return stack


def from_planes(
    plane: Callable[[int], np.ndarray],
    shape: tuple[int, int],
    origins: np.ndarray,
    column_axis: np.ndarray,
    row_axis: np.ndarray,
    pixel_spacing: tuple[float, float],
    thickness: np.ndarray,
    sop_instance_uids: tuple[str, ...],
) -> AxialStack:
    """Make an axial stack of stored pictures that are axial already, turned so that rows and columns are canonical.

    Args:
        plane: stored index -> (row, column) Hounsfield units as stored.
        shape: (rows, columns) as stored.
        origins: (slice, 3) LPS mm of each picture's first pixel, sorted upward.
        column_axis: (3,) LPS unit vector along a stored row, that is, of increasing column.
        row_axis: (3,) LPS unit vector of increasing row.
        pixel_spacing: (row spacing, column spacing) in mm as stored.
        thickness: (slice,) mm.
        sop_instance_uids: one per slice.
    """
    transpose = abs(column_axis[0]) + abs(row_axis[1]) < abs(column_axis[1]) + abs(row_axis[0])
    if transpose:
        column_axis, row_axis = row_axis, column_axis
        shape, pixel_spacing = shape[::-1], pixel_spacing[::-1]
    origins = np.array(origins, dtype=float)
    flip_rows, flip_columns = row_axis[1] < 0, column_axis[0] < 0
    if flip_rows:
        origins += row_axis * pixel_spacing[0] * (shape[0] - 1)
        row_axis = -row_axis
    if flip_columns:
        origins += column_axis * pixel_spacing[1] * (shape[1] - 1)
        column_axis = -column_axis

    def canonical_plane(index: int) -> np.ndarray:
        picture = plane(index)
        if transpose:
            picture = picture.T
        return picture[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]

    column_axis, row_axis, skewed = _plane_axes(column_axis, row_axis)
    stack = AxialStack(
        plane=canonical_plane,
        shape=shape,
        origins=origins,
        column_axis=column_axis,
        row_axis=row_axis,
        pixel_spacing=pixel_spacing,
        thickness=np.asarray(thickness, dtype=float),
        source_slices=tuple((index,) for index in range(len(origins))),
        sop_instance_uids=tuple((uid,) for uid in sop_instance_uids),
    )
    stack.quality.extend([*_skew_flags(skewed), *axial_flags(stack.normal)])
    return stack


def _skew_flags(skewed: bool) -> list[Quality]:
    if not skewed:
        return []
    return [
        Quality(
            "sheared",
            "fatal",
            "The rows and columns of the slices are not perpendicular (the scan was warped by a registration); "
            "measure the original scan instead.",
        )
    ]


def axial_flags(normal: np.ndarray) -> list[Quality]:
    """Return a fatal flag where the slice plane is too far from axial.

    Args:
        normal: (3,) LPS unit vector of the slice plane, pointing up.
    """
    angle = np.degrees(np.arccos(np.clip(normal[2], -1.0, 1.0)))
    if angle <= MAX_AXIAL_ANGLE:
        return []
    return [
        Quality(
            "not-axial",
            "fatal",
            f"The slices stand {angle:.0f} degrees away from axial (more than {MAX_AXIAL_ANGLE:.0f}); "
            "choose an axial series of this examination.",
        )
    ]


def _plane_axes(columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return unit, exactly perpendicular in-plane axes, and whether the stored ones were clearly not perpendicular."""
    column_axis = columns / np.linalg.norm(columns)
    rows = rows / np.linalg.norm(rows)
    skew = float(rows @ column_axis)
    row_axis = rows - skew * column_axis
    return column_axis, row_axis / np.linalg.norm(row_axis), abs(skew) > MAX_PLANE_SKEW

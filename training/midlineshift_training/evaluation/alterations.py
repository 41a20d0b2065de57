"""The same head as another scanner, table or file gives it, or with unequal ventricles: the shift should not change."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from midlineshift_training.evaluation.widened_ventricle import widened
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.head_shape import head_shape
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement

TURN_DEG, MOVE_MM, MARGIN_MM = 30.0, 20.0, 30.0
NOISE_HU = 8.0
CLIP_HU = (-100.0, 200.0)
EIGHT_BIT_HU = (-20.0, 100.0)
THICKNESS_MM = (2.5, 5.0, 10.0)
CUT_SHARE = 0.15
# Steps between slices that differ by more cannot be stored in one volume's affine.
REGULAR_MM = 0.05


@dataclass(frozen=True)
class Alteration:
    """One way to alter a scan.

    Attributes:
        name: in tables.
        make: (scan, random generator, what was measured of the scan) -> altered scan; None where the scan cannot be
            altered so.
        sign: of the shift: -1 where left and right change places.
    """

    name: str
    make: Callable[[HeadCT, np.random.Generator, Measurement], HeadCT | None]
    sign: int = 1


def in_plane(ct: HeadCT, turn_deg: float, move_mm: float, margin_mm: float) -> HeadCT:
    """Turn the head in the picture about the picture's middle (column axis toward row axis) and move it along the columns.

    The picture grows by ``margin_mm`` on every side, in whole pixels, so that nothing is cut and what is neither turned
    nor moved keeps its values. Linear interpolation.
    """
    row_mm, column_mm = ct.pixel_spacing
    spacing = np.array([row_mm, column_mm])
    pad = np.ceil(margin_mm / spacing).astype(int)
    shape = np.array(ct.hu.shape[1:]) + 2 * pad
    angle = np.radians(turn_deg)
    # scipy maps each output pixel (row, column) to the input pixel it is taken from
    back_mm = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = back_mm * spacing / spacing[:, None]
    old_middle, new_middle = (np.array(ct.hu.shape[1:]) - 1) / 2, (shape - 1) / 2
    offset = old_middle - matrix @ (new_middle + np.array([0.0, move_mm]) / spacing)
    # the air of this scan, which need not be -1000, but no padding value below it
    air = max(-1000.0, float(ct.hu.min()))
    hu = np.stack(
        [
            ndimage.affine_transform(one, matrix, offset, tuple(shape), order=1, mode="constant", cval=air)
            for one in ct.hu
        ]
    )
    origins = ct.origins - pad[1] * column_mm * ct.column_axis - pad[0] * row_mm * ct.row_axis
    return replace(ct, hu=hu.astype(np.float32), origins=origins)


def mirrored(ct: HeadCT) -> HeadCT:
    """Exchange left and right: the shift must come out with the other sign."""
    return replace(ct, hu=np.ascontiguousarray(ct.hu[:, :, ::-1]))


def stored_otherwise(ct: HeadCT) -> HeadCT | None:
    """Write the scan as NIfTI in sagittal, upside-down, right-to-left storage order, and load it again.

    None for slices at uneven steps, which one affine cannot describe.
    """
    import nibabel

    steps = np.diff(ct.origins, axis=0)
    if len(steps) and np.abs(steps - steps.mean(0)).max() > REGULAR_MM:
        return None
    row_mm, column_mm = ct.pixel_spacing
    step = steps.mean(0) if len(steps) else ct.thickness[0] * ct.normal
    axes = {"column": column_mm * ct.column_axis, "row": row_mm * ct.row_axis, "slice": step}
    last = {"column": ct.hu.shape[2] - 1, "row": ct.hu.shape[1] - 1, "slice": ct.n_slices - 1}
    affine = np.eye(4)
    affine[:3, :3] = np.stack([axes["row"], -axes["slice"], -axes["column"]], 1)
    affine[:3, 3] = ct.origins[0] + last["slice"] * axes["slice"] + last["column"] * axes["column"]
    voxels = ct.hu.transpose(1, 0, 2)[:, ::-1, ::-1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stored_otherwise.nii"
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine), path)
        return read(path)


def with_noise(ct: HeadCT, rng: np.random.Generator) -> HeadCT:
    """Add white noise of 8 HU."""
    return replace(ct, hu=ct.hu + rng.normal(0, NOISE_HU, ct.hu.shape).astype(np.float32))


def clipped(ct: HeadCT) -> HeadCT:
    """Clip to a wide soft-tissue window, as some exports do."""
    return replace(ct, hu=np.clip(ct.hu, *CLIP_HU))


def eight_bit(ct: HeadCT) -> HeadCT:
    """Store the brain window in 256 grey steps; beyond the window the scan keeps its values."""
    low, high = EIGHT_BIT_HU
    steps = np.round(np.clip((ct.hu - low) / (high - low), 0, 1) * 255) / 255 * (high - low) + low
    return replace(ct, hu=np.where((ct.hu > low) & (ct.hu < high), steps, ct.hu).astype(np.float32))


def resliced(ct: HeadCT, thickness_mm: float) -> HeadCT | None:
    """Cut slices of another thickness: means of what is linearly interpolated between the old slices.

    Centred on the scan's range, so that the new slices are between the old ones. None if fewer than two would result.
    """
    z = ct.heights
    count = int((z[-1] - z[0] + np.median(np.diff(z))) / thickness_mm)
    if count < 2:
        return None
    heights = (z[0] + z[-1]) / 2 + (np.arange(count) - (count - 1) / 2) * thickness_mm
    fine = 16
    inside = heights[:, None] + ((np.arange(fine) + 0.5) / fine - 0.5) * thickness_mm
    share = np.stack([np.interp(inside, z, one).mean(1) for one in np.eye(len(z))], 1)
    hu = np.tensordot(share.astype(np.float32), ct.hu, 1)
    # outside the first and last slice's middle their values go on, but their places do not
    origins = share @ ct.origins
    origins += (heights - origins @ ct.normal)[:, None] * ct.normal
    return replace(
        ct, hu=hu, origins=origins, thickness=np.full(count, thickness_mm), source_slices=(), sop_instance_uids=()
    )


def cut_at_the_edge(ct: HeadCT) -> HeadCT | None:
    """End the field of view before the head does, on the patient's left. None if no head is found."""
    shape = head_shape(ct)
    columns = np.flatnonzero(shape.head.any((0, 1)))
    if not len(columns):
        return None
    first, last = columns[[0, -1]] * shape.pixel[1]
    stop = round((last - CUT_SHARE * (last - first)) / ct.pixel_spacing[1])
    return replace(ct, hu=np.ascontiguousarray(ct.hu[:, :, :stop]))


@dataclass(frozen=True)
class _Resliced:
    thickness_mm: float

    def __call__(self, ct: HeadCT, _rng: np.random.Generator, _measurement: Measurement) -> HeadCT | None:
        return resliced(ct, self.thickness_mm)


ALTERATIONS = (
    Alteration("turned by +30 degrees", lambda ct, *_: in_plane(ct, TURN_DEG, 0.0, MARGIN_MM)),
    Alteration("turned by -30 degrees", lambda ct, *_: in_plane(ct, -TURN_DEG, 0.0, MARGIN_MM)),
    Alteration("moved by 20 mm", lambda ct, *_: in_plane(ct, 0.0, MOVE_MM, MARGIN_MM)),
    Alteration("left and right exchanged", lambda ct, *_: mirrored(ct), -1),
    Alteration("stored in another order", lambda ct, *_: stored_otherwise(ct)),
    Alteration("noise of 8 HU", lambda ct, rng, _: with_noise(ct, rng)),
    Alteration("clipped to -100..200 HU", lambda ct, *_: clipped(ct)),
    Alteration("8-bit brain window", lambda ct, *_: eight_bit(ct)),
    *(Alteration(f"slices of {mm:g} mm", _Resliced(mm)) for mm in THICKNESS_MM),
    Alteration("cut at the field's edge", lambda ct, *_: cut_at_the_edge(ct)),
    Alteration("left ventricle wider", lambda ct, _, measurement: widened(ct, measurement, 1)),
    Alteration("right ventricle wider", lambda ct, _, measurement: widened(ct, measurement, -1)),
)

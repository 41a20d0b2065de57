"""Assemble a ``HeadCT`` from slices that are loaded one by one: slabs, padding, digest, irregular spacing."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.headct.slabs import group_slices
from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.quality import Quality

AIR_HU = -1000.0
"""What is written where nothing was scanned."""

IRREGULAR_MM = 0.2
"""Steps between slices that differ by more than this are reported; table positions are recorded to about 0.1 mm."""

MISSING_GAP = 1.6
"""A step this many times the steps around it, and the slice thickness, means that a slice was lost."""

BLOCK = 3
"""Steps on either side of a slice that define the usual step of its block."""

MAX_TILT_DEGREES = 40.0
"""Gantries tilt by at most 30 degrees."""

TILT_DEGREES = 1.0
"""A stack that runs obliquely by more than this has a tilted gantry; less is rounding of the stored positions."""


def assemble(stack: AxialStack, progress: Progress | None = None) -> HeadCT:
    """Load the slices, average thin ones into slabs, and record what was done.

    Args:
        stack: slices in canonical order.
        progress: called with each loaded slice.

    Returns:
        The scan. Memory stays at one float32 copy of the slabs and two slices beside what ``stack.plane`` holds.
    """
    progress = progress or silent
    heights = stack.heights
    thickness = _filled_thickness(heights, stack.thickness)
    groups = group_slices(heights, thickness)
    offsets = _in_plane_offsets(stack)
    hu = np.full((len(groups), *stack.shape), AIR_HU, dtype=np.float32)
    replaced_nan = False
    for slab, members in enumerate(groups):
        weights = thickness[members.start : members.stop]
        weights = weights / weights.sum()
        middle = weights @ offsets[members.start : members.stop]
        total = None
        for index, weight in zip(members, weights, strict=True):
            progress(index, stack.n_slices, "reading slices")
            picture, had_padding = _without_padding_nan(np.asarray(stack.plane(index), dtype=np.float32))
            replaced_nan |= had_padding
            if len(members) == 1:
                total = picture
                break
            shift = np.rint(offsets[index] - middle).astype(int)
            part = _shifted(picture, shift) * np.float32(weight)
            total = part if total is None else np.add(total, part, out=total)
        hu[slab] = total
    progress(stack.n_slices, stack.n_slices, "reading slices")

    quality = [*stack.quality, *_spacing_flags(stack, thickness)]
    if replaced_nan:
        quality.append(
            Quality(
                "nan-padding", "warning", "Undefined values (NaN) at the edge of the picture were taken as air; look."
            )
        )
    ct = HeadCT(
        hu=hu,
        origins=stack.origins,
        column_axis=stack.column_axis,
        row_axis=stack.row_axis,
        pixel_spacing=stack.pixel_spacing,
        thickness=thickness,
        source_slices=stack.source_slices,
        sop_instance_uids=stack.sop_instance_uids,
        frames=stack.frames,
        source=dict(stack.source),
    )
    ct.source.setdefault("reformatted", None)
    if len(groups) < stack.n_slices:
        ct, flag = _as_slabs(ct, stack, groups, thickness)
        quality.append(flag)
    ct.source["sha256"] = hashlib.sha256(np.ascontiguousarray(hu, dtype="<f4").data).hexdigest()
    return replace(ct, quality=tuple(quality))


def _as_slabs(ct: HeadCT, stack: AxialStack, groups: list[range], thickness: np.ndarray) -> tuple[HeadCT, Quality]:
    """Return ``ct`` with the geometry of its slabs, and the flag that reports them."""
    heights = stack.heights

    def mean(values: np.ndarray, members: range) -> np.ndarray:
        part = slice(members.start, members.stop)
        return np.average(values[part], axis=0, weights=thickness[part])

    extent = [
        heights[members[-1]] - heights[members[0]] + thickness[members.start : members.stop].mean()
        for members in groups
    ]
    uids = stack.sop_instance_uids
    step = float(np.median(np.diff(heights)))
    how = f"{stack.n_slices} slices {step:.2f} mm apart averaged into {len(groups)} slabs of about {np.median(extent):.1f} mm"
    earlier = ct.source["reformatted"]
    ct.source["reformatted"] = f"{earlier}; {how}" if earlier else how
    ct = replace(
        ct,
        origins=np.array([mean(stack.origins, members) for members in groups]),
        thickness=np.array(extent),
        source_slices=tuple(_merged(stack.source_slices, members) for members in groups),
        sop_instance_uids=tuple(_merged(uids, members) for members in groups) if uids else (),
    )
    return ct, Quality("reformatted", "info", f"{how}.")


def _merged(per_slice: tuple[tuple, ...], members: range) -> tuple:
    """Return the members' entries in order, each once; slices that share one entry (a re-cut volume) share it here too."""
    first = per_slice[members[0]]
    if all(per_slice[index] is first for index in members):
        return first
    return tuple(dict.fromkeys(entry for index in members for entry in per_slice[index]))


def _filled_thickness(heights: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    """(slice,) mm; where the source gives no usable value, the usual step between slices on the side that a slice goes on.

    The distance to the nearest neighbour would do for even steps only. Where two blocks of slices meet (thin ones at the
    skull base, thick ones above) they overlap or leave a gap: that step describes neither block's slices, and taken
    for a thickness it would have two thick slices averaged.
    """
    known = np.isfinite(thickness) & (thickness > 0)
    if known.all():
        return thickness.astype(float)
    if len(heights) < 2:
        return np.where(known, thickness, 5.0)
    steps = np.diff(heights)
    usual = np.empty(len(heights))
    for index in range(len(heights)):
        # the steps below a slice and above it, the nearest one first
        sides = [
            side for side in (steps[max(index - BLOCK, 0) : index][::-1], steps[index : index + BLOCK]) if len(side)
        ]
        usual[index] = min((abs(side[0] - np.median(side)), np.median(side)) for side in sides)[1]
    return np.where(known, thickness, usual)


def _in_plane_offsets(stack: AxialStack) -> np.ndarray:
    """(slice, 2) pixels (row, column) by which each slice's first pixel is displaced from that of slice 0 within the plane."""
    moved = stack.origins - stack.origins[0]
    row_mm, column_mm = stack.pixel_spacing
    return np.stack([moved @ stack.row_axis / row_mm, moved @ stack.column_axis / column_mm], axis=1)


def _shifted(picture: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move ``picture`` by whole (rows, columns), with air where nothing comes in: slices of a tilted gantry are laid over
    one another in place before they are averaged, instead of smearing the slab along the tilt."""
    if not shift.any():
        return picture
    result = np.full_like(picture, AIR_HU)
    source, target = [], []
    for length, step in zip(picture.shape, shift, strict=True):
        source.append(slice(max(-step, 0), max(length - max(step, 0), 0)))
        target.append(slice(max(step, 0), max(length + min(step, 0), 0)))
    result[tuple(target)] = picture[tuple(source)]
    return result


def _without_padding_nan(picture: np.ndarray) -> tuple[np.ndarray, bool]:
    """Take undefined values that reach the picture's edge for air; others are left to ``check``.

    Returns:
        The picture (a copy if changed), and whether anything was replaced.
    """
    undefined = ~np.isfinite(picture)
    if not undefined.any():
        return picture, False
    outside = touching_edge(undefined)
    if not outside.any():
        return picture, False
    picture = picture.copy()
    picture[outside] = AIR_HU
    return picture, True


def touching_edge(mask: np.ndarray) -> np.ndarray:
    """Return (row, column) bool: the connected parts of ``mask`` that touch the picture's edge."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, edge[edge > 0])


def _spacing_flags(stack: AxialStack, thickness: np.ndarray) -> list[Quality]:
    """Return what is odd in the slices' places; nothing is changed, since each slice keeps its own origin."""
    flags: list[Quality] = []
    if stack.n_slices < 2:
        return flags
    steps = np.diff(stack.heights)
    run = stack.origins[-1] - stack.origins[0]
    tilt = np.degrees(np.arccos(np.clip(run @ stack.normal / np.linalg.norm(run), -1, 1)))
    if tilt > MAX_TILT_DEGREES:
        flags.append(
            Quality(
                "sheared",
                "fatal",
                f"The slices are stacked {tilt:.0f} degrees off their normal, which no gantry does; the directions or positions "
                "in the header are wrong: export the scan again from the original DICOM images.",
            )
        )
    elif tilt > TILT_DEGREES:
        flags.append(
            Quality(
                "gantry-tilt",
                "info",
                f"The gantry was tilted by {tilt:.1f} degrees; each slice is measured in its own plane, nothing is resampled.",
            )
        )
    if steps.max() - steps.min() > IRREGULAR_MM:
        flags.append(
            Quality(
                "irregular-spacing",
                "info",
                f"The slices are {steps.min():.2f} to {steps.max():.2f} mm apart; each keeps its own position.",
            )
        )
    lost = []
    for index, step in enumerate(steps):
        around = np.delete(steps[max(index - 3, 0) : index + 4], min(index, 3))
        if len(around) and step > MISSING_GAP * max(np.median(around), thickness[index], thickness[index + 1]):
            lost.append(index)
    if lost:
        places = ", ".join(f"{index + 1} and {index + 2} ({steps[index]:.1f} mm)" for index in lost[:5])
        flags.append(
            Quality(
                "missing-slices",
                "warning",
                f"Slices seem to be missing: the gap is too wide between slices {places}, counted from the lowest; "
                "export the complete series if the shift could be there.",
            )
        )
    return flags

"""Read from Slicer's DICOM database what a volume node does not keep: slice thickness and image UIDs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from MidlineShiftLogic.headct.stack import AxialStack
from MidlineShiftLogic.measurement.slice_names import INSTANCE_NUMBERS
from MidlineShiftLogic.quality import Quality

THICKNESS, POSITION, ORIENTATION = "0018,0050", "0020,0032", "0020,0037"
NUMBER = "0020,0013"

AGREE_MM = 0.2
"""Steps between slices in the scene and in the DICOM images that differ by less are the same."""


@dataclass(frozen=True)
class Instance:
    """One image of a series.

    ``height``: mm along its own slice normal, upward. ``thickness``: mm, NaN if unknown. ``number``: instance number, 0
    if unknown.
    """

    uid: str
    height: float
    thickness: float
    number: int = 0


def known_instances(volume_node) -> list[Instance]:
    """Return the images that a volume was loaded from, lowest first; empty if the database does not know every one.

    Slicer keeps their UIDs in an attribute, but does not promise that the list follows the slices.
    """
    uids = (volume_node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return []
    found = []
    for uid in uids:
        position = _numbers(database, uid, POSITION, 3)
        orientation = _numbers(database, uid, ORIENTATION, 6)
        if position is None or orientation is None:
            return []
        normal = np.cross(orientation[:3], orientation[3:])
        normal = normal if normal[2] >= 0 else -normal
        thickness = _numbers(database, uid, THICKNESS, 1)
        number = _numbers(database, uid, NUMBER, 1)
        found.append(
            Instance(
                uid,
                float(position @ normal),
                np.nan if thickness is None else float(thickness[0]),
                0 if number is None else int(number[0]),
            )
        )
    return sorted(found, key=lambda one: one.height)


def describe_slices(stack: AxialStack, instances: list[Instance]) -> None:
    """Give the slices of a volume the thickness and the UID of the image each comes from, as far as that is known.

    Args:
        stack: the volume's slices where they are in the world, lowest first; changed.
        instances: of ``known_instances``.
    """
    known = np.array([one.thickness for one in instances])
    if len(instances) != stack.n_slices or stack.n_slices < 2:
        # re-cut, cropped, or a file of many frames: which slice is which image cannot be said
        if len(known) and np.ptp(known) == 0 and len(instances) >= stack.n_slices:
            stack.thickness = np.full(stack.n_slices, known[0])
        return
    stack.thickness = known
    difference = np.abs(np.diff(stack.heights) - np.diff([one.height for one in instances])).max()
    if difference < AGREE_MM:
        stack.sop_instance_uids = tuple((one.uid,) for one in instances)
        _number_slices(stack, instances)
        return
    stack.quality.append(
        Quality(
            "moved-slices",
            "warning",
            f"The slices are up to {difference:.1f} mm nearer or farther apart in the scene than in the DICOM images; in "
            "Edit > Application Settings > DICOM let 'Acquisition geometry regularization' apply its transform, and load "
            "the series again.",
        )
    )


def _number_slices(stack: AxialStack, instances: list[Instance]) -> None:
    """Note the instance numbers, in the order of the volume's own slices, as ``headct.dicom`` does for a series."""
    numbers = {one.number for one in instances}
    if len(numbers) == len(instances) and min(numbers) > 0 and all(len(one) == 1 for one in stack.source_slices):
        by_source = {source[0]: one.number for source, one in zip(stack.source_slices, instances, strict=True)}
        stack.source[INSTANCE_NUMBERS] = [by_source[index] for index in range(len(instances))]


def _numbers(database, uid: str, tag: str, count: int) -> np.ndarray | None:
    """Return ``count`` values of a tag of an image; None where the image or the tag is not there."""
    try:
        values = np.array([float(part) for part in (database.instanceValue(uid, tag) or "").split("\\")])
    except (RuntimeError, ValueError):  # ctk raises the first for an image that was removed from the database
        return None
    return values if len(values) == count and np.isfinite(values).all() else None

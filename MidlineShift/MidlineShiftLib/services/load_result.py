"""A result of earlier, ``sr.dcm`` or ``measurement.json``, read for the scan that it was measured on."""

import warnings
from pathlib import Path

import numpy as np
from slicer.i18n import tr as _

from MidlineShiftLogic import scene
from MidlineShiftLogic.errors import InputError

SAME_PLACE_MM = 0.1
"""Both files keep places to well below this."""


def loadResult(path: str, volumeNode, ct):
    """Return the ``Measurement`` of a file, if it is of this scan: the same voxels or DICOM images, at the same place.

    Args:
        ct: ``head_ct_from_volume(volumeNode)``.

    Raises:
        InputError: the file cannot be read, is damaged, or is of another scan, or the scan was moved since.
    """
    measurement = _read(Path(path))
    if measurement.refused or not measurement.slices:
        raise InputError(
            _("{path} says that the scan could not be measured; there is nothing to show.").format(path=path)
        )
    digest = measurement.input.get("sha256") if isinstance(measurement.input, dict) else None
    if not (digest and digest == ct.source.get("sha256")) and not _ofTheseImages(Path(path), volumeNode):
        text = _("{path} is not of this scan; choose the scan that was measured, then load it again.")
        raise InputError(text.format(path=path))
    damage = scene.damage_of(measurement, ct)
    if damage:
        raise InputError(_("{path} is damaged ({damage}); choose another copy of it.").format(path=path, damage=damage))
    if not all(_liesThere(one, ct) for one in measurement.slices):
        text = _(
            "The scan is not where it was measured for {path}; take it out of its transforms, or measure it again."
        )
        raise InputError(text.format(path=path))
    return measurement


def _read(path: Path):
    if path.suffix.lower() == ".json":
        from MidlineShiftLogic.reporting.html import read_result

        return read_result(path)
    from MidlineShiftLogic.reporting.dicom import read_report

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pydicom says of other programs' spelling is not for the user
        return read_report(path)


def _ofTheseImages(path: Path, volumeNode) -> bool:
    """Return whether a structured report refers to exactly the images that the volume was loaded from."""
    from MidlineShiftLogic.reporting.dicom import referenced_images

    uids = set((volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split())
    return path.suffix.lower() != ".json" and bool(uids) and referenced_images(path) == uids


def _liesThere(one, ct) -> bool:
    """Return whether the slice's pixels are at its places in the patient."""
    return all(
        np.abs(ct.to_lps(one.index, pixel) - one.landmarks_lps_mm[name]).max() <= SAME_PLACE_MM
        for name, pixel in one.landmarks_px.items()
    )

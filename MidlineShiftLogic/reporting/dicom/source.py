"""Describe the DICOM series a scan was read from: its patient, and which of its images each slice was made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.frames import Frame, frames_of, read_header
from MidlineShiftLogic.headct.headct import HeadCT

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SAME_PLANE = np.cos(np.radians(1.0))
"""Cosine between the normals of slices that are cut the same way."""
SAME_PLACE_MM = 0.5
"""A slice that is this close to an image is that image, whatever thickness the header says."""


@dataclass(frozen=True)
class Source:
    """Hold a series and what the objects take over from it.

    Attributes:
        frames: its pictures, upward along their normal.
        identity: patient and study (``header.patient_and_study``).
        character_set: Specific Character Set of the source, as stored; ``()`` where it says none.
        frame_of_reference_uid: of the series; where it says none, one that follows from the series' UID.
        series_number: or None.
        compression: elements that say how it was compressed with loss; empty where it was not.
    """

    frames: tuple[Frame, ...]
    identity: Dataset
    character_set: tuple[str, ...]
    frame_of_reference_uid: str
    series_number: int | None
    compression: Dataset

    @property
    def series_uid(self) -> str:
        """Return the Series Instance UID of the images."""
        return self.frames[0].series_uid

    def of_slice(self, ct: HeadCT, index: int) -> list[Frame]:
        """Return the images a slice was made of, upward.

        A slab has several. Of a scan that was cut from sagittal or coronal images, every slice was made of all.
        """
        normal = self.frames[0].normal
        if normal is None or abs(normal @ ct.normal) < SAME_PLANE:
            return list(self.frames)
        heights = np.array([frame.position @ ct.normal for frame in self.frames])
        height, thickness = float(ct.heights[index]), float(ct.thickness[index])
        named = list(ct.source_slices[index]) if ct.source_slices else []
        if named and max(named) < len(heights) and abs(heights[named].mean() - height) <= 0.1 + 0.25 * thickness:
            return [self.frames[one] for one in named]
        near = np.flatnonzero(np.abs(heights - height) < 0.5 * thickness - 0.01)
        nearest = int(np.abs(heights - height).argmin())
        if len(near) == 0 or (abs(heights[nearest] - height) <= SAME_PLACE_MM and ct.n_slices == len(heights)):
            near = np.array([nearest])
        return [self.frames[one] for one in near]

    def middle_of_slice(self, ct: HeadCT, index: int) -> Frame | None:
        """Return the image that is closest to the slice's plane; None if the images are cut another way."""
        frames = self.of_slice(ct, index)
        if abs(frames[0].normal @ ct.normal) < SAME_PLANE:
            return None
        return min(frames, key=lambda frame: abs(float(frame.position @ ct.normal - ct.heights[index])))


def source_of(ct: HeadCT) -> Source:
    """Return the series ``ct`` was read from (by ``headct.read``, in this process).

    Raises:
        InputError: it was not read from DICOM, its files are gone, or name no study.
    """
    if not ct.frames:
        raise InputError(
            "The scan was not read from DICOM images, so there is no study to file DICOM objects in; "
            "measure it without --dicom, or give the DICOM folder.",
            "not-dicom",
        )
    return _source(ct.frames)


def source_of_files(files: Iterable[Path]) -> Source:
    """Return the series whose image files are given, in any order: for a scan that was read by another program.

    Raises:
        InputError: none of them is an image, they are of several series, do not say their place, or name no study.
    """
    frames: list[Frame] = []
    for file in map(Path, files):
        header = read_header(file)
        frames.extend([] if header is None else frames_of(header, file))
    if not frames:
        raise InputError("None of the files given is a DICOM image; give those of the series measured.", "no-dicom")
    if len({frame.stack_key[0] for frame in frames}) > 1:
        raise InputError("The files given are of several DICOM series; give those of the one measured.", "no-dicom")
    if any(frame.placement is None for frame in frames):
        raise InputError("The DICOM images given do not say their place in the patient.", "no-dicom")
    normal = frames[0].placed().normal
    frames.sort(key=lambda frame: (float(frame.placed().position @ normal), frame.order))
    return _source(tuple(frames))


def _source(frames: tuple[Frame, ...]) -> Source:
    from MidlineShiftLogic.reporting.dicom.header import compression, patient_and_study
    from MidlineShiftLogic.reporting.dicom.uids import uid

    first = frames[0]
    header = read_header(first.file)
    if header is None:
        raise InputError(f"{first.file} can no longer be read; the DICOM objects take the patient from it.", "no-dicom")
    declared = header.get("SpecificCharacterSet") or ()
    return Source(
        frames=frames,
        identity=patient_and_study(header, first.series_uid),
        character_set=(declared,) if isinstance(declared, str) else tuple(declared),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or "")
        or uid("frame of reference", first.series_uid),
        series_number=first.series_number,
        compression=compression(header),
    )

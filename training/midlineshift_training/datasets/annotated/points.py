"""Landmarks of one slice as a person gave them, and their place in the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midlineshift_training.datasets.annotated.case import SliceDetails, slabs
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import ideal_point
from MidlineShiftLogic.measurement.results import LANDMARK_NAMES

NEEDED = LANDMARK_NAMES[:3]
"""The ideal point may be left out: it then is the foot of the perpendicular from the shifted one on the falx's line."""

EXTRA = ("front", "back")
"""Further points of the midline that may be given, in front of and behind the septum's depth."""

_OFF_PLANE_MM = 4.0


class Misplaced(Exception):
    """Landmarks that are not in the scan; its arguments are sentences that say why."""


@dataclass(frozen=True)
class GivenPoints:
    """Landmarks of one slice.

    Attributes:
        where: file and place in it, for messages.
        points: name -> (3,) LPS mm, or (2,) px as (column, row) if ``slice`` is given.
        slice: of the scan's slices from the lowest; None for points in mm.
        confidence: 0..1; None: not given. structure: what the shifted point is on. reader: who placed the points.
        fold: of the case in a cross-validation; None: not given.
    """

    where: str
    points: dict[str, np.ndarray]
    slice: int | None = None
    confidence: float | None = None
    structure: str = ""
    reader: str = ""
    fold: int | None = None

    def place(self, ct: HeadCT) -> tuple[int, np.ndarray]:
        """Return slice and (4, 2) px as (column, row) in the loaded scan. ``Misplaced`` if they cannot be of this scan."""
        index, placed = self._in_pixels(ct) if self.slice is not None else self._in_millimetres(ct)
        missing = [name for name in NEEDED if name not in placed]
        if missing:
            raise Misplaced(f"{self.where} lacks {', '.join(missing)}.")
        if "ideal" not in placed:
            row_mm, column_mm = ct.pixel_spacing
            mm = np.array([column_mm, row_mm])
            try:
                placed["ideal"] = ideal_point(*(placed[name] * mm for name in NEEDED)) / mm
            except ValueError:
                raise Misplaced(f"{self.where}: both ends of the falx are at one place.") from None
        return index, np.stack([placed[name] for name in LANDMARK_NAMES])

    def details(self, ct: HeadCT) -> SliceDetails:
        """Return what is known of the slice beside its landmarks. ``Misplaced`` as by ``place``."""
        _, placed = self._in_pixels(ct) if self.slice is not None else self._in_millimetres(ct)
        further = {name: tuple(np.asarray(placed[name], float).tolist()) for name in EXTRA if name in placed}
        return SliceDetails(further, 1.0 if self.confidence is None else self.confidence, self.structure)

    def _in_pixels(self, ct: HeadCT) -> tuple[int, dict[str, np.ndarray]]:
        slab_of = slabs(ct)
        if self.slice is None:
            raise ValueError(f"{self.where} gives its points in millimetres")
        if not 0 <= self.slice < len(slab_of):
            raise Misplaced(f"{self.where} labels slice {self.slice}; the scan has {len(slab_of)} (0 is the lowest).")
        return int(slab_of[self.slice]), dict(self.points)

    def _in_millimetres(self, ct: HeadCT) -> tuple[int, dict[str, np.ndarray]]:
        heights = np.stack([point @ ct.normal for point in self.points.values()])
        index = int(np.abs(ct.heights - heights.mean()).argmin())
        gaps = np.abs(np.diff(ct.heights))
        reach = max(_OFF_PLANE_MM, (gaps.max() if len(gaps) else 0.0) * 0.75)
        far = np.abs(heights - ct.heights[index]).max()
        if far > reach:
            raise Misplaced(
                f"{self.where} has a point {far:.0f} mm off the nearest slice: its points must be in one slice, in LPS "
                "millimetres (or give --coordinates RAS)."
            )
        return index, {name: ct.to_pixels(index, point) for name, point in self.points.items()}

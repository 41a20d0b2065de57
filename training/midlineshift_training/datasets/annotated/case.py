"""One case of a set with sparse landmarks: where its scan is and what is known of its shift.

Real sets say little (Gong et al. 2023): most cases carry no landmark, some a few labelled slices, some only a number for
the whole case or only whether it is shifted. Here every one of these may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.text import counted

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SliceDetails:
    """What is known of a labelled slice beside its four landmarks.

    Attributes:
        midline: further points of the midline by name (``front``, ``back``), px as (column, row).
        confidence: 0..1, how sure the reader was. structure: what the shifted landmark is on.
    """

    midline: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    confidence: float = 1.0
    structure: str = ""


@dataclass(frozen=True)
class AnnotatedCase:
    """A case.

    Attributes:
        name: of the case, unique in the set. patient: cases of one patient are never in different splits.
        path: scan (``.npz`` of a converted set, ``.npy`` of the authors' layout).
        pixel_spacing: (row, column) spacing of the scan in mm.
        spacing: (slice, row, column) mm to read the scan with; None where it carries its own.
        split: one of ``SPLITS``; None where the set was not split yet.
        shifted: whether it is an MLS case; None: not known.
        case_mm: size of the case's shift in mm; None: not known.
        landmarks: slice -> (4, 2) px as (column, row): anterior falx, posterior falx, shifted, ideal.
        of_file: True if ``landmarks`` count the file's slices; False: those of the scan as read, which may be slabs.
        weight: how often it is drawn, relative to others.
        details: slice -> what else is known of it; slices may be missing.
        fold: part of a cross-validation that the case belongs to; None: not given.
        pose: ``angle``, ``falx_length_mm``, ``centre_mm``, ``height_mm`` (see ``HeadPose``); None: not estimated.
    """

    name: str
    patient: str
    path: Path
    pixel_spacing: tuple[float, float]
    spacing: tuple[float, float, float] | None = None
    split: str | None = None
    shifted: bool | None = None
    case_mm: float | None = None
    landmarks: Mapping[int, np.ndarray] = field(default_factory=dict)
    of_file: bool = False
    weight: float = 1.0
    details: Mapping[int, SliceDetails] = field(default_factory=dict)
    fold: int | None = None
    pose: Mapping[str, Any] | None = None

    def read(self) -> tuple[HeadCT, dict[int, np.ndarray]]:
        """Load the scan, and its landmarks by slice of the loaded scan. InputError if it cannot be read."""
        ct = read(self.path, self.spacing)
        if not self.of_file:
            return ct, dict(self.landmarks)
        slab_of = slabs(ct)
        outside = [k for k in self.landmarks if not 0 <= k < len(slab_of)]
        if outside:
            raise InputError(
                f"{self.path} has {counted(len(slab_of), 'slice')}, but slice {outside[0]} is labelled.", "landmarks"
            )
        return ct, one_a_slice((int(slab_of[k]), points) for k, points in self.landmarks.items())

    @property
    def limit_mm(self) -> float:
        """Return the shift's size in mm: its label, 0 if it is unshifted, the largest of its slices; NaN if unknown."""
        if self.case_mm is not None:
            return self.case_mm
        if self.shifted is False:
            return 0.0
        return max((shift_mm(points, self.pixel_spacing) for points in self.landmarks.values()), default=np.nan)

    def is_shifted(self, non_mls_below_mm: float) -> bool | None:
        """Return whether it counts as an MLS case: by its own word, else by the size of its shift; None: not known."""
        if self.shifted is not None or np.isnan(self.limit_mm):
            return self.shifted
        return self.limit_mm >= non_mls_below_mm

    @property
    def signed_mm(self) -> float | None:
        """Shift of the labelled slice that shifts most, positive toward the patient's left; None without landmarks."""
        values = [signed_shift_mm(points, self.pixel_spacing) for points in self.landmarks.values()]
        return max(values, key=abs, default=None)


def slabs(ct: HeadCT) -> np.ndarray:
    """Return (slices of the file,) slice of the scan as read that holds each of them."""
    counts = [len(members) for members in ct.source_slices] or [1] * ct.n_slices
    return np.repeat(np.arange(ct.n_slices), counts)


def is_slab(ct: HeadCT, index: int) -> bool:
    """Return whether a slice was averaged of several of the file's."""
    return bool(ct.source_slices) and len(ct.source_slices[index]) > 1


def one_a_slice(slices: Iterable[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """Return the landmarks by slice; of several labelled slices of the file that went into one slab, those that shift most."""
    found: dict[int, np.ndarray] = {}
    for index, points in slices:
        if index not in found or shift_mm(points, (1.0, 1.0)) > shift_mm(found[index], (1.0, 1.0)):
            found[index] = points
    return found


def shift_mm(points: np.ndarray, pixel_spacing: tuple[float, float]) -> float:
    """Return |shifted - ideal| of a slice's landmarks (4, 2) px as (column, row), mm."""
    row_mm, column_mm = pixel_spacing
    return float(np.hypot(*((points[2] - points[3]) * (column_mm, row_mm))))


def signed_shift_mm(points: np.ndarray, pixel_spacing: tuple[float, float]) -> float:
    """Return ``shift_mm`` with its sign: positive where the shifted landmark is on the patient's left of the ideal one."""
    return float(np.copysign(shift_mm(points, pixel_spacing), points[2, 0] - points[3, 0]))

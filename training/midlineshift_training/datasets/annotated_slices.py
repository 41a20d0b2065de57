"""Slices of a set with sparse landmarks, cut into the networks' frame once, with what is known of each.

Two frames: ``aligned`` is the one that measuring shows the networks (upright, centred on the falx, the falx scaled to one
length); ``as scanned`` leaves the head as it was scanned and as large as it is, as Gong et al. do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from midlineshift_training.datasets.aligned_slices import COHORTS, AlignedSlices
from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.checks import check_case
from midlineshift_training.datasets.annotated.pose import (
    aligned_frame,
    estimated_pose,
    frame_as_scanned,
    open_pose_model,
)
from midlineshift_training.datasets.annotated.problems import Problem, errors, refuse
from midlineshift_training.datasets.slice_cache import file_digest, map_cached
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.geometry.frame import Frame, align, plane_to_pixels
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.text import counted

FRAMES = ("aligned", "as scanned")
SLICES = ("brain", "authors")
AUTHORS_SKIP = (8, 5)
"""Slices at the bottom and at the top that Gong et al. leave out."""
LEAST_HEAD = 0.5
"""Share of the head's largest cross-section from which a slice of a head without a pose is taken."""


@dataclass
class AnnotatedSlices:
    """S slices; pixels are those of the frame.

    Attributes:
        hu: (S, size, size) float16.
        head: (S, size, size) bool: largest connected part above 0 HU, holes filled (Gong et al.'s mask).
        landmarks: (S, 4, 2) px from the grid's middle as (x, y): anterior falx, posterior falx, shifted, ideal; NaN where
            the slice has no label.
        limit_mm: (S,) size of the case's shift; NaN: not known.
        shifted: (S,) 1 MLS case, 0 not, -1 not known.
        pixel_mm: (S,) scan millimetres a pixel.
        weight: (S,) of the case.
        case: (S,) number of the case.
        height: (S,) mm above the anterior-commissure level; NaN for heads as scanned.
    """

    hu: Tensor
    head: Tensor
    landmarks: Tensor
    limit_mm: Tensor
    shifted: Tensor
    pixel_mm: Tensor
    weight: Tensor
    case: Tensor
    height: Tensor

    def __len__(self) -> int:
        return len(self.hu)

    @property
    def labelled(self) -> Tensor:
        """Return (S,) bool: has landmarks."""
        return self.landmarks.isfinite().flatten(1).all(1)

    @property
    def true_mm(self) -> Tensor:
        """Return (S,) |shifted - ideal| in mm; NaN without landmarks."""
        return (self.landmarks[:, 2] - self.landmarks[:, 3]).norm(dim=-1) * self.pixel_mm


def cut_slices(
    cases: Sequence[AnnotatedCase],
    size: int,
    pixel_mm: float,
    frame_mm: float,
    frame: str,
    slices: str,
    heights_mm: tuple[float, float],
    non_mls_below_mm: float,
    cohort: str = "all",
    cache: Path | None = None,
) -> AnnotatedSlices:
    """Cut the slices of a cohort, one case in memory at a time.

    Args:
        size, pixel_mm: grid and frame millimetres a pixel. frame_mm: falx length in the aligned frame.
        frame: one of ``FRAMES``; for ``aligned``, poses that the set lacks are estimated by the default model.
        slices: ``authors``: all but the lowest 8 and the highest 5; ``brain``: those within ``heights_mm`` above the
            anterior-commissure level, or, as scanned, those that show at least half of the largest cross-section.
            Labelled slices are always taken.
        non_mls_below_mm: cases that say nothing but their shift count as MLS from here on.
        cohort: ``non-mls`` (cases known to be unshifted) or ``all``.
        cache: folder of slices cut before (``slice_cache``); None: without.

    Raises:
        InputError: a scan cannot be read; a case that was not converted is not fit to learn from (all are listed); no case
            of the cohort, or none whose midsagittal plane was found.
    """
    for what, value, known in (("frame", frame, FRAMES), ("slices", slices, SLICES), ("cohort", cohort, COHORTS)):
        if value not in known:
            raise InputError(f"Unknown {what} {value!r}; there are {' and '.join(known)}.", "settings")
    cut = CutSettings(size, pixel_mm, frame_mm, frame, slices, heights_mm)
    chosen = [
        (number, case)
        for number, case in enumerate(cases)
        if cohort == "all" or case.is_shifted(non_mls_below_mm) is False
    ]
    results = map_cached(
        lambda case: _cut_case(case, cut), [case for _, case in chosen], lambda case: _key(case, cut), cache, "cutting"
    )
    parts: dict[str, list[Tensor]] = {name: [] for name in AnnotatedSlices.__dataclass_fields__}
    problems, lost = [], []
    for (number, case), values in zip(chosen, results, strict=True):
        if "problems" in values:
            where = f"{case.name} ({case.path})"
            problems += [Problem(where, what) for what in values["problems"]]
        elif "lost" in values:
            lost.append(case.name)
        elif "hu" in values:
            count, shifted = len(values["hu"]), case.is_shifted(non_mls_below_mm)
            of_case = {
                "limit_mm": torch.full((count,), float(case.limit_mm)),
                "shifted": torch.full((count,), -1 if shifted is None else int(shifted)),
                "weight": torch.full((count,), float(case.weight)),
                "case": torch.full((count,), number),
            }
            for name, value in (values | of_case).items():
                parts[name].append(value)
    refuse(problems, "mend them, or leave those cases out with 'midlineshift-train convert --skip-bad'.")
    if lost:
        names = ", ".join(lost[:5]) + (" ..." if len(lost) > 5 else "")
        click.echo(
            f"left out, since their midsagittal plane is not found: {counted(len(lost), 'case')} ({names})", err=True
        )
    if not parts["hu"]:
        raise InputError(
            f"None of the {len(cases)} cases gives a slice of the cohort {cohort!r} in the frame {frame!r}; an MLS label of "
            "0 makes a case non-MLS, and a head whose midsagittal plane is not found can be taken as scanned only.",
            "no-data",
        )
    return AnnotatedSlices(**{name: torch.cat(values) for name, values in parts.items()})


@dataclass(frozen=True)
class CutSettings:
    """Arguments of ``cut_slices`` that decide how a case is cut."""

    size: int
    pixel_mm: float
    frame_mm: float
    frame: str
    slices: str
    heights_mm: tuple[float, float]


def _cut_case(case: AnnotatedCase, cut: CutSettings) -> dict[str, Any]:
    """Return slices of a case: the fields of ``AnnotatedSlices`` that depend on the scan.

    Instead: ``problems``, texts, if it is not fit to learn from; ``lost`` if its midsagittal plane is not found; nothing
    if no slice is to be taken.
    """
    ct, landmarks = case.read()
    if case.of_file:  # conversion has looked at the others
        found = errors(check_case("", ct, landmarks, case.shifted, case.case_mm))
        if found:
            return {"problems": [one.what for one in found]}
    pose = None
    if cut.frame == "aligned":
        pose = case.pose or estimated_pose(ct, "")[0]
        if pose is None:
            return {"lost": True}
        target = aligned_frame(pose, cut.size, cut.pixel_mm, cut.frame_mm)
    else:
        target = frame_as_scanned(ct, cut.size, cut.pixel_mm)
    chosen = _chosen(ct, landmarks, cut.slices, cut.heights_mm, pose)
    if not len(chosen):
        return {}
    hu = align(ct, target, chosen)
    return {
        "hu": hu.half(),
        "head": torch.from_numpy(np.stack([head_mask(one) for one in hu.numpy()])),
        "landmarks": torch.from_numpy(_in_frame(ct, target, chosen, landmarks)),
        "pixel_mm": torch.full((len(chosen),), float(target.step_mm)),
        "height": torch.from_numpy(_heights(pose, chosen)),
    }


def _key(case: AnnotatedCase, cut: CutSettings) -> dict[str, Any]:
    """Return all that ``_cut_case`` depends on."""
    found: dict[str, Any] = {"scan": file_digest(case.path), "cut": asdict(cut)}
    found |= {name: getattr(case, name) for name in ("spacing", "shifted", "case_mm", "of_file", "pose")}
    found["landmarks"] = {int(index): points for index, points in case.landmarks.items()}
    if cut.frame == "aligned" and case.pose is None:
        found["model"] = open_pose_model("").provenance
    return found


def to_aligned_slices(slices: AnnotatedSlices, non_mls_below_mm: float) -> AlignedSlices:
    """The slices as the denoisers' training takes them; a case only known to be shifted counts with the least shift."""
    least = slices.limit_mm.nan_to_num(0.0).clamp(min=non_mls_below_mm)
    case_shift = torch.where(slices.shifted == 1, least, 0.0)
    inside = torch.zeros(len(slices), 0, 0, dtype=torch.bool)
    return AlignedSlices(slices.hu, inside, case_shift, slices.weight)


def head_mask(hu: np.ndarray) -> np.ndarray:
    """Return (H, W) HU -> bool: largest connected part above 0 HU, holes filled. All False without one."""
    return ndimage.binary_fill_holes(largest_component(hu > 0))


def _chosen(ct: HeadCT, landmarks: dict[int, np.ndarray], slices: str, heights_mm, pose) -> np.ndarray:
    index = np.arange(ct.n_slices)
    if slices == "authors":
        low, high = AUTHORS_SKIP
        use = (index >= low) & (index < ct.n_slices - high)
    elif pose is not None:
        height = np.array(pose["height_mm"])
        use = (height > heights_mm[0]) & (height < heights_mm[1])
    else:
        area = np.array([head_mask(one[::2, ::2]).sum() for one in ct.hu])
        use = area >= LEAST_HEAD * max(1, area.max())
    use[list(landmarks)] = True
    return np.flatnonzero(use)


def _heights(pose, chosen: np.ndarray) -> np.ndarray:
    if pose is None:
        return np.full(len(chosen), np.nan, np.float32)
    return np.array(pose["height_mm"], np.float32)[chosen]


def _in_frame(ct: HeadCT, frame: Frame, chosen: np.ndarray, landmarks: dict[int, np.ndarray]) -> np.ndarray:
    """Return (k, 4, 2) px from the grid's middle; NaN for slices without landmarks."""
    found = np.full((len(chosen), 4, 2), np.nan, np.float32)
    mm = 1 / plane_to_pixels(ct, np.ones(2))
    for row, index in enumerate(chosen):
        if index in landmarks:
            found[row] = frame.from_plane(index, landmarks[index] * mm) - (frame.size - 1) / 2
    return found

"""All slices of phantom files in memory, with what the training of the midline networks needs of each.

Unlabelled real scans are stored as phantom files, too (``unlabelled.case``), and come along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from midlineshift_training.datasets.phantoms.files import incomplete, read_phantom
from MidlineShiftLogic.errors import InputError

MEASURABLE_HEIGHT_MM = (-16.0, 56.0)
"""Heights above the anterior-commissure level between which the falx shows from end to end, so that it can be measured."""
SEPTUM = (0.30, 0.46)
"""Fractions of the ideal midline around the septum pellucidum, where the shift is measured."""
UNLABELLED_SHARE = 0.35
"""Share of real unlabelled slices in a batch, where there are any."""
LABELLED_SHARE = 0.45
"""Share of real slices with landmarks in a batch, where there are any."""
KNOWN_NODES = 41
"""Fractions along the ideal midline at which is recorded how well the deformed one is known."""
UNMEASURABLE_SHARE = 0.2
"""Share of slices whose falx does not show from end to end."""
FALX_PERCENTILE = 85
"""Of the lengths of a case's slices: the falx length of the case."""
FEWEST_FALX_SLICES = 3
"""With fewer slices that show the falx, a case gives no midsagittal plane."""
DOUBLED_AT_MM, MOST_WEIGHT = 2.5, 4.5
"""Shift at which a slice comes twice as often as an unshifted one, and the largest factor."""


@dataclass
class PhantomSlices:
    """Slices of many phantoms, stacked; S slices. Lengths in mm unless said otherwise.

    Attributes:
        hu: (S, 256, 256) int16.
        displacement_px: (S, 2, 64, 64) float16: rows, columns, in pixels of the 256 grid, on nodes linspace(0, 255, 64).
        inside: (S, 128, 128) uint8.
        pixel_mm: (S,). angle: (S,) radians of the midsagittal plane's in-plane normal.
        anterior, posterior: (S, 2) plane mm (column, row); on slices without a falx, extrapolated along the midsagittal plane.
        falx_length: (S,) the case's falx length. height: (S,).
        measurable: (S,) bool. septum_shift: (S,) signed mean deviation around the septum, 0 where not measurable.
        case_shift: (S,) signed.
        unlabelled: (S,) bool, real slices of which is only known that they are unshifted.
        labelled: (S,) bool, real slices with sparse landmarks (``landmark_slices``).
        known: (S, ``KNOWN_NODES``) how well the midline is known at equal fractions from attachment to attachment, 0..1.
        weight: (S,) of the slice in the loss, 0..1.
    """

    hu: torch.Tensor
    displacement_px: torch.Tensor
    inside: torch.Tensor
    pixel_mm: torch.Tensor
    angle: torch.Tensor
    anterior: torch.Tensor
    posterior: torch.Tensor
    falx_length: torch.Tensor
    height: torch.Tensor
    measurable: torch.Tensor
    septum_shift: torch.Tensor
    case_shift: torch.Tensor
    unlabelled: torch.Tensor
    labelled: torch.Tensor
    known: torch.Tensor
    weight: torch.Tensor

    def __len__(self) -> int:
        return len(self.hu)


def _case_lines(q) -> dict[str, np.ndarray] | None:
    """Return ends of the falx in plane mm for every slice, extrapolated where a slice has none; None without any."""
    pixel = float(q["pixel_mm"])
    ends = q["landmarks"][:, :2].astype(np.float64) * pixel
    has = q["has_midline"] & np.isfinite(ends).all((1, 2))
    if has.sum() < FEWEST_FALX_SLICES:
        return None
    angle = float(q["line_angle"])
    n, u = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    index = np.arange(len(has))
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    along = np.interp(index, index[has], (ends.mean(1) @ u)[has])
    half = np.interp(index, index[has], length[has] / 2)
    on_line = q["line_offset"][:, None].astype(np.float64) * pixel * n
    return {
        "has": has,
        "anterior": on_line + (along - half)[:, None] * u,
        "posterior": on_line + (along + half)[:, None] * u,
        "length": np.percentile(length[has], FALX_PERCENTILE),
    }


def _case_values(q: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Return what ``PhantomSlices`` holds of one case, by name; None without a midline."""
    line = _case_lines(q)
    if line is None:
        return None
    count = len(q["hu"])
    height = q["height_mm"].astype(np.float32)
    profile = q["midline_shift_mm"]
    fractions = np.linspace(0.10, 0.90, profile.shape[1])
    septum = profile[:, (fractions >= SEPTUM[0]) & (fractions <= SEPTUM[1])].mean(1)
    measurable = line["has"] & (height > MEASURABLE_HEIGHT_MM[0]) & (height < MEASURABLE_HEIGHT_MM[1])
    measurable &= np.isfinite(septum)
    return {
        "hu": q["hu"],
        "displacement_px": q["displacement_px"],
        "inside": q["inside"].astype(np.uint8),
        "pixel_mm": np.full(count, q["pixel_mm"], np.float32),
        "angle": np.full(count, q["line_angle"], np.float32),
        "anterior": line["anterior"].astype(np.float32),
        "posterior": line["posterior"].astype(np.float32),
        "falx_length": np.full(count, line["length"], np.float32),
        "height": height,
        "measurable": measurable,
        "septum_shift": np.where(measurable, septum, 0).astype(np.float32),
        "case_shift": np.full(count, q["case_shift_mm"], np.float32),
        "unlabelled": np.full(count, bool(q.get("pseudo", False))),
        "labelled": np.zeros(count, bool),
        "known": np.ones((count, KNOWN_NODES), np.float32),
        "weight": np.ones(count, np.float32),
    }


def load_phantoms(files: list[Path]) -> PhantomSlices:
    """Read phantom files into one ``PhantomSlices``.

    Raises:
        InputError: a file is damaged or lacks an entry; names the file.
    """
    parts: dict[str, list] = {name: [] for name in PhantomSlices.__dataclass_fields__}
    for path in files:
        try:
            values = _case_values(read_phantom(path))
        except (ValueError, TypeError, IndexError) as error:
            raise incomplete(path, error) from None
        if values is None:
            continue
        for name, value in values.items():
            parts[name].append(torch.from_numpy(np.ascontiguousarray(value)))
    if not parts["hu"]:
        raise InputError("None of the phantoms shows a midline; make them again.", "no-data")
    return PhantomSlices(**{name: torch.cat(value) for name, value in parts.items()})


def take(slices: PhantomSlices, index: torch.Tensor) -> PhantomSlices:
    """Return the slices at ``index``, numbers or a mask."""
    return PhantomSlices(**{name: getattr(slices, name)[index] for name in PhantomSlices.__dataclass_fields__})


def join(parts: Sequence[PhantomSlices]) -> PhantomSlices:
    """Return several stores in one, in their order."""
    names = PhantomSlices.__dataclass_fields__
    return PhantomSlices(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def sampling_weights(
    slices: PhantomSlices,
    unmeasurable_share: float = UNMEASURABLE_SHARE,
    unlabelled_share: float = UNLABELLED_SHARE,
    labelled_share: float = LABELLED_SHARE,
) -> torch.Tensor:
    """Return the probability of drawing each slice, (S,).

    Shifted slices come more often, some without a visible falx come too, and real unlabelled ones make
    ``unlabelled_share`` of all draws if there are any; of these only the measurable ones are of use, since what the others
    show is not known. Labelled ones make ``labelled_share`` of all draws, those of shifted and of sure readings most.
    """
    if slices.labelled.any():
        of_labelled = slices.labelled * slices.weight.sqrt()
        of_labelled = of_labelled * (1 + slices.septum_shift.abs() / DOUBLED_AT_MM).clamp(max=MOST_WEIGHT)
        of_labelled = of_labelled / of_labelled.sum()
        others = ~slices.labelled
        if not others.any():
            return of_labelled
        drawn = of_labelled * labelled_share
        rest = sampling_weights(take(slices, others), unmeasurable_share, unlabelled_share)
        drawn[others] = rest / rest.sum() * (1 - labelled_share)
        return drawn
    measurable, unlabelled = slices.measurable.float(), slices.unlabelled.float()
    weight = measurable * (1 - unlabelled) * (1 + slices.septum_shift.abs() / DOUBLED_AT_MM).clamp(max=MOST_WEIGHT)
    other = (1 - measurable) * (1 - unlabelled) * torch.where(slices.height < 0, 1.0, 0.5)
    shares = ((weight, 1 - unmeasurable_share), (other, unmeasurable_share))
    drawn = sum(part / part.sum().clamp(min=1e-6) * share for part, share in shares)
    real = measurable * unlabelled
    if not real.any():
        return drawn
    if not drawn.any():
        return real / real.sum()
    return drawn * (1 - unlabelled_share) + real / real.sum() * unlabelled_share

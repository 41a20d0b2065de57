"""Does a pseudo-healthy image deserve to be shown? What it changes, against what is known of the head.

Slices are compared after smoothing: a denoised slice lacks the scanner's noise, and noise is not anatomy. For the same
reason a phantom is held against its unshifted twin without noise: slice and twin share theirs, the image has none. Ventricles
and sulci that a mass has emptied cannot be seen in the slice, but are open in the twin: a second twin, where they are as empty
and nothing but the displacement is undone, is compared without a limit (docs/adr/0051).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from scipy import ndimage

from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pseudo_healthy import make_pseudo_healthy
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU
from MidlineShiftLogic.measurement.pseudo_healthy import PseudoHealthy
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.models.folder import Model

SMOOTHING_MM = 3.0
"""Standard deviation of the smoothing."""
NEAR_MIDLINE_MM = 20.0
"""Distance from the ideal midline within which a pseudo-healthy slice is held against the known unshifted twin."""
SSIM_WINDOW_MM = 7.0
OTHER_MAKING = 1000
"""Added to the seed of the noise for a second making of the same slices."""
LEAST_SHIFT_MM = 2.5
"""Shift from which a case asks whether the pseudo-healthy image has less of it; smaller ones are within the error."""

LIMITS = {
    "ssim": 0.9,
    "unshifted_change_hu": 3.0,
    "twin_error_left": 0.5,
    "shift_left": 0.4,
    "makings": 0.5,
}
"""What a denoiser must reach: least structural similarity and largest change (HU) of unshifted heads; largest share left
of the error around the midline, and of the shift; largest difference of two makings, in what a making changes."""


@dataclass(frozen=True)
class DenoiserCheck:
    """What a pseudo-healthy image makes of one head; grey values after smoothing, means over the brain.

    Attributes:
        case: name. kind: ``unshifted`` or ``shifted``; phantoms: whether it is a phantom.
        change_hu: what the image changes. makings_hu: what two makings differ by. neighbours_hu: what the changes of slices
            that are beside one another differ by. ssim: structural similarity of slice and image.
        twin_before_hu, twin_after_hu: difference from the unshifted twin within 20 mm of the midline, of the slice and of the
            image; None where no twin is known. straight_before_hu, straight_after_hu: of the twin whose
            ventricles and sulci are as empty as the phantom's.
        shift_mm, healthy_shift_mm: signed shift that the model measures on the scan, and on it with the image in the brain;
            None if refused.
    """

    case: str
    kind: str
    phantom: bool
    change_hu: float
    makings_hu: float
    neighbours_hu: float
    ssim: float
    twin_before_hu: float | None
    twin_after_hu: float | None
    straight_before_hu: float | None
    straight_after_hu: float | None
    shift_mm: float | None
    healthy_shift_mm: float | None

    def row(self) -> dict[str, str | float | bool | None]:
        """Return the values by name, numbers rounded."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class KnownTwin:
    """The unshifted twin of a phantom (``phantoms.twins``).

    Attributes:
        hu, shifted_hu: (slice, row, column) HU of the twin and of the phantom, both without noise, or both with the same.
        straight_hu: of the twin whose ventricles and sulci are as empty as the phantom's.
        line_angle: radians. line_offset: (slice,) px; of the ideal midline (``phantoms.case``).
    """

    hu: np.ndarray
    shifted_hu: np.ndarray
    straight_hu: np.ndarray
    line_angle: float
    line_offset: np.ndarray


def check_denoiser(
    case: str,
    ct: HeadCT,
    model: Model,
    shifted: bool,
    twin: KnownTwin | None = None,
) -> DenoiserCheck:
    """Make the pseudo-healthy image of a scan twice, and compare.

    Args:
        case: name. ct: the scan. model: with denoisers. shifted: whether the head is.
        twin: of a phantom.

    Raises:
        RefusedError: no midline can be found.
    """
    image = make_pseudo_healthy(ct, model, "cpu")
    other = make_pseudo_healthy(ct, _other_making(model), "cpu", slices=image.slices.tolist())
    brain = image.brain > 0.5
    low, high = BRAIN_WINDOW_HU
    scan = np.clip(ct.hu[image.slices], low, high)
    sd = _sd_px(ct)
    change = _smooth((image.hu - scan) * brain, sd)
    beside = np.flatnonzero(np.diff(image.slices) == 1)
    shared = brain[beside] & brain[beside + 1]
    neighbours = np.abs(change[beside + 1] - change[beside])[shared]
    before = after = straight_before = straight_after = None
    if twin is not None:
        near = brain & _near_midline(ct, image.slices, twin.line_angle, twin.line_offset)

        def difference(hu: np.ndarray, aim: np.ndarray) -> float:
            return float(np.abs(_smooth((hu - aim) * brain, sd))[near].mean())

        known, aim, straight = (
            np.clip(hu[image.slices], low, high) for hu in (twin.shifted_hu, twin.hu, twin.straight_hu)
        )
        before, after = difference(known, aim), difference(image.hu, aim)
        straight_before, straight_after = difference(known, straight), difference(image.hu, straight)
    return DenoiserCheck(
        case=case,
        kind="shifted" if shifted else "unshifted",
        phantom=twin is not None,
        change_hu=float(np.abs(change)[brain].mean()),
        makings_hu=float(np.abs(_smooth((image.hu - other.hu) * brain, sd))[brain].mean()),
        neighbours_hu=float(neighbours.mean()) if neighbours.size else 0.0,
        ssim=_ssim(_smooth(scan, sd), _smooth(image.hu, sd), brain, ct),
        twin_before_hu=before,
        twin_after_hu=after,
        straight_before_hu=straight_before,
        straight_after_hu=straight_after,
        shift_mm=_measured(ct, model).signed_shift_mm,
        healthy_shift_mm=_measured(_healed(ct, image), model).signed_shift_mm,
    )


def judge(checks: list[DenoiserCheck]) -> dict:
    """Return means over the cases, and whether each of ``LIMITS`` is kept.

    Returns:
        ``figures`` by name (None where no case has one), ``kept`` by name, and ``passed``: every limit is kept, and none is
        left open.
    """
    unshifted = [one for one in checks if one.kind == "unshifted"]
    shifted = [one for one in checks if one.kind == "shifted"]
    twins = [one for one in shifted if one.twin_before_hu]
    measured = [one for one in shifted if one.shift_mm is not None and abs(one.shift_mm) >= LEAST_SHIFT_MM]
    left = [_shift_left(one) for one in measured]
    figures: dict[str, float | None] = {
        "ssim": _mean([one.ssim for one in unshifted]),
        "unshifted_change_hu": _mean([one.change_hu for one in unshifted]),
        "twin_error_left": _mean([_share(one.twin_after_hu, one.twin_before_hu) for one in twins]),
        "straight_twin_error_left": _mean([_share(one.straight_after_hu, one.straight_before_hu) for one in twins]),
        "shift_left": _mean(left),
        "largest_shift_left": max(left, default=None),
        "makings": _mean([_share(one.makings_hu, one.change_hu) for one in shifted]),
        "neighbours": _mean([_share(one.neighbours_hu, one.change_hu) for one in shifted]),
    }
    kept = {name: _keeps(name, figures[name]) for name in LIMITS}
    rounded = {name: None if value is None else round(value, 3) for name, value in figures.items()}
    return {"figures": rounded, "limits": LIMITS, "kept": kept, "passed": all(kept.values())}


def _keeps(name: str, value: float | None) -> bool:
    """Return whether a figure is known and keeps its limit."""
    if value is None:
        return False
    return value >= LIMITS[name] if name == "ssim" else value <= LIMITS[name]


def _share(part: float | None, whole: float | None) -> float:
    """Return a share; 0 of nothing is 0, all else of nothing without limit."""
    if part is None or whole is None:
        return np.nan
    return part / whole if whole > 0 else (np.inf if part > 0 else 0.0)


def _shift_left(one: DenoiserCheck) -> float:
    """Return share of the shift that the pseudo-healthy image leaves; 1 where nothing can be measured on it any more."""
    if one.healthy_shift_mm is None or not one.shift_mm:
        return 1.0
    return abs(one.healthy_shift_mm / one.shift_mm)


def columns() -> list[str]:
    """Return names of a row's values."""
    return [one.name for one in fields(DenoiserCheck)]


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _other_making(model: Model) -> Model:
    """Return the same model with other noise settings; its networks are not loaded again."""
    noise = model.noise | {"seed": int(model.noise.get("seed", 0)) + OTHER_MAKING}
    return replace(model, description=replace(model.description, noise=noise))


def _healed(ct: HeadCT, image: PseudoHealthy) -> HeadCT:
    hu = np.array(ct.hu, dtype=np.float32)
    for number, index in enumerate(image.slices):
        hu[index] = image.over(number, hu[index])
    return replace(ct, hu=hu)


def _measured(ct: HeadCT, model: Model) -> Measurement:
    return measure_case(ct, lambda: (model, "cpu"), case_id="").measurement


def _sd_px(ct: HeadCT) -> tuple[float, float, float]:
    """Return standard deviation of the smoothing along (slice, row, column), px."""
    row_mm, column_mm = ct.pixel_spacing
    return 0.0, SMOOTHING_MM / row_mm, SMOOTHING_MM / column_mm


def _smooth(images: np.ndarray, sd: tuple[float, float, float]) -> np.ndarray:
    return ndimage.gaussian_filter(images.astype(np.float32), sd)


def _near_midline(ct: HeadCT, slices: np.ndarray, angle: float, offset: np.ndarray) -> np.ndarray:
    """Return (k, row, column) bool: within ``NEAR_MIDLINE_MM`` of the ideal midline of each slice."""
    rows, columns = np.mgrid[: ct.hu.shape[1], : ct.hu.shape[2]]
    across = columns * np.cos(angle) + rows * np.sin(angle) - offset[slices][:, None, None]
    return np.abs(across) * ct.pixel_spacing[1] < NEAR_MIDLINE_MM


def _ssim(a: np.ndarray, b: np.ndarray, mask: np.ndarray, ct: HeadCT) -> float:
    """Mean structural similarity over a mask (Wang et al. 2004), in windows of ``SSIM_WINDOW_MM``; range 0..80 HU."""
    from skimage.metrics import structural_similarity

    window = max(3, 2 * round((SSIM_WINDOW_MM / float(np.mean(ct.pixel_spacing)) - 1) / 2) + 1)  # odd
    span = BRAIN_WINDOW_HU[1] - BRAIN_WINDOW_HU[0]
    settings = {"win_size": window, "data_range": span, "use_sample_covariance": False, "full": True}
    value = np.stack([structural_similarity(one, other, **settings)[1] for one, other in zip(a, b, strict=True)])
    return float(value[mask].mean())

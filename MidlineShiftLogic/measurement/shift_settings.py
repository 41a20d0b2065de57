"""Settings of the shift computation, as a model stores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from MidlineShiftLogic.measurement.distance import CaseRule

MAX_PASSES = 10
"""More looks along the midline change nothing but the time they take."""


@dataclass(frozen=True)
class ShiftSettings:
    """How midline curves become a number; stored in ``model.json`` under ``readout``.

    The defaults never change: a model that was exported before a parameter existed does not give it, and must go on
    measuring as it did. What new models are given is ``NEW_MODEL_SETTINGS``.

    Attributes:
        septum: fractions of the ideal midline, from its anterior end, between which the septum pellucidum is.
        window_mm: heights above the anterior-commissure level of the slices that may stand for the case.
        measured_mm: heights of the slices that are measured at all.
        smooth_mm: standard deviation of the smoothing across slices.
        smooth_order: degree of the polynomial that is fitted across slices; 0 takes the mean, which flattens a peak.
        smooth_fraction: standard deviation of the smoothing along the midline, as a fraction of its length.
        quantile: of the shifts of the window's slices, toward their common side, that is the case's.
        agreement: how large their mean must be, against their range, for that; else the median is taken.
        min_confidence: least confidence of a measured slice.
        plane_share: weight of the head's one midsagittal plane against the slice's own line, 0..1.
        field_share: weight of the displacement field's deviation against the distance maps', 0..1.
        refined_plane_share: as ``plane_share``, for lines that a second look along the midline has moved.
        refined_smooth_mm: as ``smooth_mm``, for midlines that it has moved.
        refinement_passes: times that a model looks again along the midline, each time along the one found before.
    """

    septum: tuple[float, float] = (0.30, 0.46)
    window_mm: tuple[float, float] = CaseRule.window_mm
    measured_mm: tuple[float, float] = (-8.0, 45.0)
    smooth_mm: float = 4.0
    smooth_order: int = 0
    smooth_fraction: float = 0.03
    quantile: float = CaseRule.quantile
    agreement: float = 0.0
    min_confidence: float = 0.5
    plane_share: float = 0.75
    field_share: float = 0.5
    refined_plane_share: float = 0.5
    refined_smooth_mm: float = 2.5
    refinement_passes: int = 2

    RENAMED: ClassVar[dict[str, str]] = {"readable": "min_confidence"}
    """Names in ``model.json`` of earlier versions -> names of today."""

    def __post_init__(self) -> None:
        """Raise ValueError where no midline could be looked at again."""
        if not 1 <= self.refinement_passes <= MAX_PASSES:
            raise ValueError(f"refinement_passes must be 1 to {MAX_PASSES}")

    @property
    def case_rule(self) -> CaseRule:
        """The rule by which the case's number is chosen."""
        low, high = self.window_mm
        return CaseRule(self.quantile, (low, high), self.agreement)


NEW_MODEL_SETTINGS = ShiftSettings(smooth_mm=8.0, smooth_order=2, smooth_fraction=0.0, agreement=1.0)
"""Settings of newly exported models: local regression across slices, the median where slices disagree (see docs/adr)."""

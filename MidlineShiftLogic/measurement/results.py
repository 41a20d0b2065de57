"""Define the result of a measurement as plain data: what was found, where, by what, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from MidlineShiftLogic.measurement.decision import Review
from MidlineShiftLogic.measurement.distance import CaseRule
from MidlineShiftLogic.quality import Quality

SCHEMA = "midlineshift-measurement/1"
COVERAGE = 0.90
"""Share of cases whose true shift is inside ``Measurement.interval_mm``."""
LARGE_MM = 5.0
"""The shift that ``Measurement.p_over_5mm`` asks about: the usual threshold of surgery."""
NO_SIDE_MM = 0.5
"""Shifts below this have no side."""
LANDMARK_NAMES = ("anterior_falx", "posterior_falx", "shifted", "ideal")


@dataclass(frozen=True)
class SliceMeasurement:
    """The measurement of one slice.

    Attributes:
        index: slice index in the canonical ``HeadCT`` stack (0 = lowest).
        z_mm: position along the slice normal, mm (``HeadCT.heights``).
        signed_shift_mm: distance of ``shifted`` from the line through the falx attachments, perpendicular to it;
            positive toward the patient's left.
        landmarks_px: name -> (2,) (column, row), continuous pixels of the canonical slice.
        landmarks_lps_mm: name -> (3,) LPS mm.
        midline_px: (k, 2) (column, row) polyline of the deformed midline, anterior to posterior.
        midline_shift_mm: (k,) signed perpendicular distance of each midline point from the ideal line.
        height_mm: height in the head above the anterior-commissure level (estimated), mm.
        confidence: 0..1, how likely this slice shows the falx from end to end and can be measured.
        in_case_window: whether the slice took part in choosing the case's number.
        authors_readout_mm: max |displacement| over the slice (Gong et al. 2023), mm; None if not asked for.
        edited: True where a reader moved a landmark or placed them.
        pinned: True where a reader chose this slice to stand for the case (``measurement.edit.pin_slice``).
        source_slices: slices of the source it was made from (``HeadCT.source_slices``); several for a slab.
    """

    index: int
    z_mm: float
    signed_shift_mm: float
    landmarks_px: dict[str, np.ndarray]
    landmarks_lps_mm: dict[str, np.ndarray]
    midline_px: np.ndarray
    midline_shift_mm: np.ndarray
    height_mm: float
    confidence: float
    in_case_window: bool = True
    authors_readout_mm: float | None = None
    edited: bool = False
    source_slices: tuple[int, ...] = ()
    pinned: bool = False


@dataclass(frozen=True)
class Measurement:
    """One case. ``refused`` is None for a measured case, else a dict with ``code`` and ``message``.

    Attributes:
        case_id: name of the case (from the file name; never a patient's name).
        signed_shift_mm: the case's shift, positive toward the patient's left; None if refused.
        slice: index of the slice that the number comes from; None if refused.
        slices: every measured slice, lowest first.
        quality: flags of loading, checking and measuring.
        authors_readout_mm: maximum of |displacement| over all slices that went through the deformation network, measured or
            not, mm (Gong et al. 2023, who take slices 8 to depth - 5); None if not asked for.
        interval_mm: ends (low, high) of the interval in which the true signed shift is in 90 % of cases like it, mm;
            ``p_over_5mm``: probability that the true shift is above 5 mm to either side. None if refused, if the model
            was not calibrated (``measurement.uncertainty``), and of an edited number, which they are not of.
        case_rule: how the model's own ``slice`` was chosen; None in results of versions that did not record it. Once a reader
            has edited or pinned a slice, ``slice`` follows the reader's rule (``measurement.edit.reader_case``).
        model_slice: the slice that the model's rule chose, kept once a reader has edited or pinned one; None before.
        review: a reader's decision; None if there is none of these numbers.
        model, software, input: provenance as JSON-ready dicts. ``device`` as torch names it. ``seconds``: wall time.
    """

    case_id: str
    signed_shift_mm: float | None
    slice: int | None
    slices: tuple[SliceMeasurement, ...] = ()
    quality: tuple[Quality, ...] = ()
    refused: dict | None = None
    authors_readout_mm: float | None = None
    model: dict = field(default_factory=dict)
    software: dict = field(default_factory=dict)
    device: str = "cpu"
    seconds: float = 0.0
    input: dict = field(default_factory=dict)
    schema: str = SCHEMA
    case_rule: CaseRule | None = None
    review: Review | None = None
    interval_mm: tuple[float, float] | None = None
    p_over_5mm: float | None = None
    model_slice: int | None = None

    @property
    def edited(self) -> bool:
        """Return whether a reader edited or pinned a slice, so that the case's number is the reader's."""
        return any(one.edited or one.pinned for one in self.slices)

    @property
    def shift_mm(self) -> float | None:
        """The size of the case's shift; None if refused."""
        return None if self.signed_shift_mm is None else abs(self.signed_shift_mm)

    def measured_mm(self) -> float:
        """Return the case's signed shift, positive toward the patient's left, of a case that is not refused.

        Raises:
            ValueError: it is refused.
        """
        if self.signed_shift_mm is None:
            raise ValueError(f"{self.case_id} has no number: it is refused")
        return self.signed_shift_mm

    def measured_slice(self) -> SliceMeasurement:
        """Return the slice that the number of a case comes from that is not refused.

        Raises:
            ValueError: it is refused.
        """
        for one in self.slices:
            if one.index == self.slice:
                return one
        raise ValueError(f"{self.case_id} has no slice that its number comes from: it is refused")

    @property
    def side(self) -> str | None:
        """``left`` or ``right``: toward which side of the patient the midline is pushed; ``none`` below 0.5 mm."""
        if self.signed_shift_mm is None:
            return None
        if abs(self.signed_shift_mm) < NO_SIDE_MM:
            return "none"
        return "left" if self.signed_shift_mm > 0 else "right"

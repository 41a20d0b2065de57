"""What an evaluation measures of one case, and what comes of it: plain data that travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from midlineshift_training.datasets.annotated.case import AnnotatedCase

PHANTOMS, READINGS, NO_READING = "phantoms", "readings", "no reading"
"""Phantoms; scans that readers measured; scans that nobody measured."""
LABELLED, SIZES = "labelled set", "labelled set, size only"
"""Cases of an annotated data set whose side is known, too; of which a number without a side is known."""
CASE_SIZES, READS = "case sizes", "radiologists' reads"
"""Scans whose shift a table gives in millimetres; scans that radiologists only called shifted or not."""
WITHOUT_SIDE = (SIZES, CASE_SIZES)
"""Sets whose truth is a size: measured shifts are held against it without their side."""
THIS_MODEL = "this model"


@dataclass(frozen=True)
class Job:
    """Describe one case and what is to be measured of it.

    Attributes:
        set: ``PHANTOMS``, ``READINGS`` or ``NO_READING``. path: phantom file, scan file or DICOM folder. case: its name.
        rows: the readers' rows of this case.
        groups: by -> names of the groups it is in.
        warps: known shifts to warp into it. alter: whether to alter it in every way of ``ALTERATIONS``.
        seed: of amplitudes and noise.
        labels: a case of an annotated data set; the truth then is what its annotations say.
        size_mm: size of the case's shift by a table of sizes; the truth then is this.
        fold: part of a cross-validation that the case belongs to; ``THIS_MODEL`` then is the model that did not see it.
    """

    set: str
    path: Path
    case: str
    rows: tuple[dict, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warps: int = 0
    alter: bool = False
    seed: int = 0
    labels: AnnotatedCase | None = None
    size_mm: float | None = None
    fold: int | None = None


@dataclass(frozen=True)
class ModelResult:
    """What one model measured of one case; signed mm are positive toward the patient's left.

    Attributes:
        set, case, groups: of the ``Job``. model: ``THIS_MODEL`` or the name of a compared one.
        truth_mm: None where nobody measured the scan. measured_mm, slice: None if refused.
        refused: code of the refusal or of the error in loading the scan; empty if measured. flags: codes of the warnings.
        seconds: wall time. authors_mm: largest displacement, as Gong et al. (2023) measure, unsigned.
        interval_mm: 90 %. p_over_5mm: probability of more than 5 mm. None where the model gives none.
        slices: (index, truth mm, measured mm) of every slice that has both.
        unmeasured_slices: slices with a truth that the model did not measure.
        authors_slices: (index, size of the truth mm, largest displacement mm) of the same slices.
    """

    set: str
    case: str
    model: str
    truth_mm: float | None
    measured_mm: float | None
    slice: int | None
    refused: str
    flags: str
    seconds: float
    authors_mm: float | None = None
    interval_mm: tuple[float, float] | None = None
    p_over_5mm: float | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slices: tuple[tuple[int, float, float], ...] = ()
    unmeasured_slices: int = 0
    authors_slices: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class CaseResult:
    """Everything measured of one case.

    Attributes:
        results: one of every model. warps: rows of known shifts. changes: rows of alterations.
    """

    results: tuple[ModelResult, ...] = ()
    warps: tuple[dict, ...] = ()
    changes: tuple[dict, ...] = ()

"""One case measured in every way that an evaluation asks for; cases are spread over processes and machines.

What comes back are plain numbers; scans and fields stay in the process that measured them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from midlineshift_training.datasets.annotated.case import AnnotatedCase, signed_shift_mm
from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.distributed.map_parallel import map_parallel
from midlineshift_training.distributed.model_cache import cached_model, model_fingerprint
from midlineshift_training.evaluation.alterations import ALTERATIONS
from midlineshift_training.evaluation.cases import phantom_slice_truth, phantom_truth, read_slice_truth
from midlineshift_training.evaluation.groups import phantom_groups
from midlineshift_training.evaluation.known_shifts import amplitudes, known_shift
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.compute_shift import ShiftSettings
from MidlineShiftLogic.measurement.distance import case_slice
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.models.settings import parse_settings

PHANTOMS, READINGS, NO_READING = "phantoms", "readings", "no reading"
LABELLED, SIZES = "labelled set", "labelled set, size only"
"""Cases of a set with sparse landmarks: whose side is known, too; of which a number without a side is known."""
THIS_MODEL = "this model"


@dataclass(frozen=True)
class Job:
    """One case and what is wanted of it.

    Attributes:
        set: ``PHANTOMS``, ``READINGS`` or ``NO_READING``. path: phantom file, scan file or DICOM folder. case: its name.
        rows: the readers' rows of this case.
        groups: by -> names of the groups it is in.
        warps: known shifts to warp into it. alter: whether to alter it in every way of ``ALTERATIONS``.
        seed: of amplitudes and noise.
        labels: a case of a set with sparse landmarks; the truth then is what these say.
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


@dataclass(frozen=True)
class Reading:
    """What one model said of one case; signed mm are positive toward the patient's left.

    Attributes:
        set, case, groups: of the ``Job``. model: ``THIS_MODEL`` or the name of a compared one.
        truth_mm: None where nobody read the scan. measured_mm, slice: None if refused.
        refused: code of the refusal or of the error of reading; empty if measured. flags: codes of the warnings.
        seconds: wall time. authors_mm: the read-out of Gong et al. (2023), unsigned.
        interval_mm: 90 %. p_over_5mm: probability of more than 5 mm. None where the model tells none.
        slices: (index, truth mm, measured mm) of every slice that has both.
        unread_slices: slices with a truth that the model did not measure.
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
    unread_slices: int = 0
    authors_slices: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True)
class CaseReport:
    """Everything measured of one case: ``Reading`` by every model; rows of known shifts and of alterations."""

    readings: tuple[Reading, ...] = ()
    warps: tuple[dict, ...] = ()
    changes: tuple[dict, ...] = ()


def readout_of(model: Model) -> ShiftSettings:
    """Read-out settings of a model; truths are made by the same rule."""
    return parse_settings(ShiftSettings, model.readout, "'readout' of model.json")


def measured(ct: HeadCT, model: Model, case: str) -> Measurement:
    """One scan measured on the CPU, with the authors' read-out beside ours; a refusal is a result, too."""
    return measure_case(ct, lambda: (model, "cpu"), case_id=case, authors_readout=True).measurement


def report(job: Job, models: Mapping[str, Model]) -> CaseReport:
    """Measure one case by every model, and known shifts and alterations of it by this model.

    Returns:
        Nothing for a phantom in which no slice shows the midline: there is no truth to compare with.
    """
    settings = readout_of(models[THIS_MODEL])
    groups = dict(job.groups)
    if job.set == PHANTOMS:
        ct, entries = phantom_scan(job.path)
        truth, of_slices = phantom_truth(entries, settings), phantom_slice_truth(entries, settings)
        groups |= phantom_groups(entries)
        if truth is None:
            return CaseReport()
    else:
        truth = labelled_truth(job.labels) if job.labels else _mean_reading(job.rows)
        try:
            ct, landmarks = job.labels.read() if job.labels else (read(job.path), {})
        except MidlineShiftError as error:
            return CaseReport(tuple(_unread(job, name, truth, groups, error) for name in models))
        of_slices = read_slice_truth(ct, list(job.rows))
        for index, points in landmarks.items():
            of_slices[index] = signed_shift_mm(points, ct.pixel_spacing)
    found = {name: measured(ct, model, job.case) for name, model in models.items()}
    readings = tuple(_reading(job, name, truth, of_slices, groups, m) for name, m in found.items())
    own = found[THIS_MODEL]
    if own.refused:
        return CaseReport(readings)
    warps = _warps(job, ct, own, models[THIS_MODEL], settings) if job.warps else ()
    changes = _changes(job, ct, own, models[THIS_MODEL]) if job.alter else ()
    return CaseReport(readings, warps, changes)


def labelled_truth(case: AnnotatedCase) -> float | None:
    """Shift of a case of a set: its largest labelled slice's, signed; else its number, without a side; None without."""
    if case.signed_mm is not None:
        return case.signed_mm
    return None if np.isnan(case.limit_mm) else case.limit_mm


def _mean_reading(rows: Sequence[dict]) -> float | None:
    return float(np.mean([row["shift_mm"] for row in rows])) if rows else None


def _reading(job: Job, model: str, truth, of_slices: np.ndarray, groups, m: Measurement) -> Reading:
    own = {one.index: one.signed_shift_mm for one in m.slices}
    true = {int(k): float(of_slices[k]) for k in np.flatnonzero(np.isfinite(of_slices))}
    measured_mm = m.signed_shift_mm
    if job.set == SIZES and measured_mm is not None:
        measured_mm = abs(measured_mm)
    largest = {one.index: one.authors_readout_mm for one in m.slices if one.authors_readout_mm is not None}
    return Reading(
        set=job.set,
        case=job.case,
        model=model,
        truth_mm=truth,
        measured_mm=measured_mm,
        slice=m.slice,
        refused=(m.refused or {}).get("code", ""),
        flags=" ".join(flag.code for flag in m.quality if flag.severity != "info"),
        seconds=round(m.seconds, 2),
        authors_mm=m.authors_readout_mm,
        interval_mm=getattr(m, "interval_mm", None),
        p_over_5mm=getattr(m, "p_over_5mm", None),
        groups=groups,
        slices=tuple((k, value, own[k]) for k, value in true.items() if k in own),
        unread_slices=len(true.keys() - own.keys()),
        authors_slices=tuple((k, abs(value), largest[k]) for k, value in true.items() if k in largest),
    )


def _unread(job: Job, model: str, truth, groups, error: MidlineShiftError) -> Reading:
    """A scan that cannot be read counts as refused, with the error's code."""
    return Reading(job.set, job.case, model, truth, None, None, error.code, "", 0.0, groups=groups)


def _warps(job: Job, ct: HeadCT, own: Measurement, model: Model, settings: ShiftSettings) -> tuple[dict, ...]:
    rows = []
    for amplitude in amplitudes(job.case, job.warps, job.seed):
        shift = known_shift(ct, own, amplitude, settings)
        push = np.array([shift.at_septum(one.index) for one in own.slices])
        window = np.array([one.in_case_window for one in own.slices])
        # by the rule that makes the case's number of its slices
        known = float(push[case_slice(push, window, settings.case_rule)])
        m = measured(shift.apply(ct), model, job.case)
        change = None if m.refused else m.signed_shift_mm - own.signed_shift_mm
        refused = (m.refused or {}).get("code", "")
        rows.append({"case": job.case, "amplitude_mm": known, "change_mm": change, "refused": refused})
    return tuple(rows)


def _changes(job: Job, ct: HeadCT, own: Measurement, model: Model) -> tuple[dict, ...]:
    rows = []
    for number, alteration in enumerate(ALTERATIONS):
        rng = np.random.default_rng([job.seed, crc32(job.case.encode()), number])
        try:
            altered = alteration.make(ct, rng)
            if altered is None:
                continue
            m = measured(altered, model, job.case)
            code = (m.refused or {}).get("code", "")
        except MidlineShiftError as error:  # the altered scan cannot even be read
            code = error.code
        change = None if code else m.signed_shift_mm - alteration.sign * own.signed_shift_mm
        rows.append({"alteration": alteration.name, "case": job.case, "change_mm": change, "refused": code})
    return tuple(rows)


def _report(names: tuple[tuple[str, str | None, str], ...], job: Job) -> CaseReport:
    return report(job, {name: cached_model(folder, fingerprint) for name, folder, fingerprint in names})


def reports(
    jobs: Sequence[Job], models: Mapping[str, str | None], workers: int = 1, cluster: str | None = None
) -> Iterator[CaseReport]:
    """Reports of all jobs, in their order and the same wherever they were made.

    Args:
        models: name -> model name or folder (None: the default model); holds ``THIS_MODEL``.
        workers, cluster: see ``distributed.map_parallel``.

    Raises:
        InputError: a model or a phantom cannot be read, or see ``distributed.map_parallel``.
    """
    names = tuple((name, folder, model_fingerprint(folder)) for name, folder in models.items())
    yield from map_parallel(partial(_report, names), jobs, workers, cluster)

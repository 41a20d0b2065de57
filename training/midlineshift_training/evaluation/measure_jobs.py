"""Measure one case in every way that an evaluation asks for; cases are mapped over processes and machines.

What comes back are plain numbers; scans and fields stay in the process that measured them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from zlib import crc32

import numpy as np

from midlineshift_training.datasets.annotated.case import signed_shift_mm
from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.distributed.map_parallel import map_parallel
from midlineshift_training.distributed.model_cache import cached_model, model_fingerprint
from midlineshift_training.evaluation.alterations import ALTERATIONS
from midlineshift_training.evaluation.groups import phantom_groups
from midlineshift_training.evaluation.jobs import PHANTOMS, THIS_MODEL, WITHOUT_SIDE, CaseResult, Job, ModelResult
from midlineshift_training.evaluation.known_shifts import amplitudes, known_shift
from midlineshift_training.evaluation.truth import (
    labelled_truth,
    phantom_slice_truth,
    phantom_truth,
    reader_slice_truth,
)
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.errors import MidlineShiftError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.distance import case_slice
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.models.settings import parse_settings


def shift_settings_of(model: Model) -> ShiftSettings:
    """Return how a model computes the shift; truths are made by the same rule."""
    return parse_settings(ShiftSettings, model.readout, "'readout' of model.json")


def measure_scan(ct: HeadCT, model: Model, case: str) -> Measurement:
    """Measure one scan on the CPU, with the authors' way beside ours; a refusal is a result, too."""
    return measure_case(ct, lambda: (model, "cpu"), case_id=case, authors_readout=True).measurement


def measure_job(job: Job, models: Mapping[str, Model]) -> CaseResult:
    """Measure one case by every model, and known shifts and alterations of it by this model.

    Returns:
        Nothing for a phantom in which no slice shows the midline: there is no truth to compare with.
    """
    settings = shift_settings_of(models[THIS_MODEL])
    groups = dict(job.groups)
    if job.set == PHANTOMS:
        ct, entries = phantom_scan(job.path)
        truth, of_slices = phantom_truth(entries, settings), phantom_slice_truth(entries, settings)
        groups |= phantom_groups(entries)
        if truth is None:
            return CaseResult()
    else:
        truth = labelled_truth(job.labels) if job.labels else _mean_of_readers(job.rows)
        truth = job.size_mm if truth is None else truth
        try:
            ct, landmarks = job.labels.read() if job.labels else (read(job.path), {})
        except MidlineShiftError as error:
            return CaseResult(tuple(_failed(job, name, truth, groups, error) for name in models))
        of_slices = reader_slice_truth(ct, list(job.rows))
        for index, points in landmarks.items():
            of_slices[index] = signed_shift_mm(points, ct.pixel_spacing)
    found = {name: measure_scan(ct, model, job.case) for name, model in models.items()}
    results = tuple(_result_of(job, name, truth, of_slices, groups, m) for name, m in found.items())
    own = found[THIS_MODEL]
    if own.refused:
        return CaseResult(results)
    warps = _warps(job, ct, own, models[THIS_MODEL], settings) if job.warps else ()
    changes = _changes(job, ct, own, models[THIS_MODEL]) if job.alter else ()
    return CaseResult(results, warps, changes)


def _mean_of_readers(rows: Sequence[dict]) -> float | None:
    return float(np.mean([row["shift_mm"] for row in rows])) if rows else None


def _result_of(job: Job, model: str, truth, of_slices: np.ndarray, groups, m: Measurement) -> ModelResult:
    own = {one.index: one.signed_shift_mm for one in m.slices}
    true = {int(k): float(of_slices[k]) for k in np.flatnonzero(np.isfinite(of_slices))}
    measured_mm = m.signed_shift_mm
    interval_mm = getattr(m, "interval_mm", None)
    if job.set in WITHOUT_SIDE and measured_mm is not None and measured_mm < 0:
        # a size has no side: number and interval are turned to the positive one
        measured_mm = -measured_mm
        interval_mm = interval_mm and (-interval_mm[1], -interval_mm[0])
    largest = {one.index: one.authors_readout_mm for one in m.slices if one.authors_readout_mm is not None}
    return ModelResult(
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
        interval_mm=interval_mm,
        p_over_5mm=getattr(m, "p_over_5mm", None),
        groups=groups,
        slices=tuple((k, value, own[k]) for k, value in true.items() if k in own),
        unmeasured_slices=len(true.keys() - own.keys()),
        authors_slices=tuple((k, abs(value), largest[k]) for k, value in true.items() if k in largest),
    )


def _failed(job: Job, model: str, truth, groups, error: MidlineShiftError) -> ModelResult:
    """Count a scan that cannot be loaded as refused, with the error's code."""
    return ModelResult(job.set, job.case, model, truth, None, None, error.code, "", 0.0, groups=groups)


def _warps(job: Job, ct: HeadCT, own: Measurement, model: Model, settings: ShiftSettings) -> tuple[dict, ...]:
    rows = []
    for amplitude in amplitudes(job.case, job.warps, job.seed):
        shift = known_shift(ct, own, amplitude, settings)
        push = np.array([shift.at_septum(one.index) for one in own.slices])
        window = np.array([one.in_case_window for one in own.slices])
        # by the rule that makes the case's number of its slices
        known = float(push[case_slice(push, window, settings.case_rule)])
        m = measure_scan(shift.apply(ct), model, job.case)
        change = None if m.refused else m.measured_mm() - own.measured_mm()
        refused = (m.refused or {}).get("code", "")
        rows.append({"case": job.case, "amplitude_mm": known, "change_mm": change, "refused": refused})
    return tuple(rows)


def _changes(job: Job, ct: HeadCT, own: Measurement, model: Model) -> tuple[dict, ...]:
    rows = []
    for number, alteration in enumerate(ALTERATIONS):
        rng = np.random.default_rng([job.seed, crc32(job.case.encode()), number])
        try:
            altered = alteration.make(ct, rng, own)
            if altered is None:
                continue
            m = measure_scan(altered, model, job.case)
            code = (m.refused or {}).get("code", "")
        except MidlineShiftError as error:  # the altered scan cannot even be read
            code = error.code
        change = None if code else m.measured_mm() - alteration.sign * own.measured_mm()
        rows.append({"alteration": alteration.name, "case": job.case, "change_mm": change, "refused": code})
    return tuple(rows)


_Place = tuple[str | None, str]
"""Name or folder of a model, and its fingerprint."""


def _measure_by_names(names: Mapping[str, _Place], of_folds: Mapping[int, _Place], job: Job) -> CaseResult:
    places = dict(names)
    if job.fold is not None and job.fold in of_folds:
        places[THIS_MODEL] = of_folds[job.fold]
    return measure_job(job, {name: cached_model(*place) for name, place in places.items()})


def measure_jobs(
    jobs: Sequence[Job],
    models: Mapping[str, str | None],
    workers: int = 1,
    cluster: str | None = None,
    fold_models: Mapping[int, str] | None = None,
) -> Iterator[CaseResult]:
    """Measure all jobs; their results come in the jobs' order and are the same wherever they were made.

    Args:
        models: name -> model name or folder (None: the default model); holds ``THIS_MODEL``.
        workers, cluster: see ``distributed.map_parallel``.
        fold_models: fold -> folder of the model that stands for ``THIS_MODEL`` in the jobs of that fold.

    Raises:
        InputError: a model or a phantom cannot be read, or see ``distributed.map_parallel``.
    """
    names = {name: (folder, model_fingerprint(folder)) for name, folder in models.items()}
    of_folds = {fold: (folder, model_fingerprint(folder)) for fold, folder in (fold_models or {}).items()}
    yield from map_parallel(partial(_measure_by_names, names, of_folds), jobs, workers, cluster)

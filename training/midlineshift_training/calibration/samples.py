"""What calibration learns from: measured shifts of scans whose shift is known, with their uncertainty features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from midlineshift_training.calibration.hard_augmentation import degrade_scan
from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.distributed.map_parallel import map_parallel
from midlineshift_training.distributed.model_cache import cached_model, model_fingerprint
from midlineshift_training.evaluation.known_shifts import amplitudes, known_shift
from midlineshift_training.evaluation.truth import phantom_truth
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.errors import MidlineShiftError, RefusedError
from MidlineShiftLogic.headct import check, read
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.pipeline import compute_shift, run_networks
from MidlineShiftLogic.measurement.distance import case_slice
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.models.settings import parse_settings

PHANTOMS, DEGRADED, SCANS = "phantoms", "phantoms, hardened", "scans with known shifts"
READINGS = "scans with readings"


@dataclass(frozen=True)
class Sample:
    """One measurement of one scan.

    Attributes:
        source: which kind of data. case: samples of one case are never on both sides of a split.
        truth_mm: the true signed shift. measured_mm: the measured one. features: ``measurement.uncertainty_features``.
            Both None if refused.
        refused: code of the refusal; empty if measured.
    """

    source: str
    case: str
    truth_mm: float
    measured_mm: float | None = None
    features: dict[str, float] | None = None
    refused: str = ""

    def numbers(self) -> tuple[float, dict[str, float]]:
        """Return the measured signed shift, mm, and the features of a sample that was not refused. ValueError if it was."""
        if self.measured_mm is None or self.features is None:
            raise ValueError(f"{self.case} was refused")
        return self.measured_mm, self.features

    def to_json(self) -> dict[str, Any]:
        """Return the entries of ``calibrate --out``, whose names are older than those of the attributes."""
        return {
            "source": self.source,
            "case": self.case,
            "truth_mm": self.truth_mm,
            "reading_mm": self.measured_mm,
            "signs": self.features,
            "refused": self.refused,
        }


@dataclass(frozen=True)
class CalibrationJob:
    """One file to measure: a phantom, as it is or degraded, a scan without a shift that gets known ones, or one with readings.

    Attributes:
        source: ``PHANTOMS``, ``DEGRADED``, ``SCANS`` or ``READINGS``. path: of the file. warps: known shifts a scan. seed: of
            chance. reading_mm: mean of the readers' signed shifts, of a scan with readings.
    """

    source: str
    path: Path
    warps: int = 0
    seed: int = 0
    reading_mm: float = 0.0

    @property
    def case(self) -> str:
        """Name of the case, unlike that of any other file."""
        return f"{self.source}: {self.path.name}"


def sample_of(ct: HeadCT, truth_mm: float, model: Model, source: str, case: str) -> Sample:
    """Measure one scan whose shift is known."""
    try:
        fatal = [flag for flag in (*ct.quality, *check(ct)) if flag.severity == "fatal"]
        if fatal:
            return Sample(source, case, truth_mm, refused=fatal[0].code)
        found = compute_shift(ct, run_networks(ct, model, "cpu"))
    except RefusedError as error:
        return Sample(source, case, truth_mm, refused=error.code)
    return Sample(source, case, truth_mm, found.case.signed_shift_mm, found.features)


def samples_of(job: CalibrationJob, model: Model) -> list[Sample]:
    """Measure one file's scan in all the ways the job asks for.

    Raises:
        InputError: the phantom is damaged. A scan that cannot be loaded gives a refused sample.
    """
    settings = parse_settings(ShiftSettings, model.readout, "'readout' of model.json")
    pairs: Iterable[tuple[HeadCT, float]]
    if job.source == READINGS:
        pairs = _reading(job)
    elif job.source == SCANS:
        pairs = _known_shifts(job, model, settings)
    else:
        pairs = _phantom(job, settings)
    try:
        return [sample_of(ct, truth, model, job.source, job.case) for ct, truth in pairs]
    except MidlineShiftError as error:
        if job.source in (PHANTOMS, DEGRADED):
            raise
        return [Sample(job.source, job.case, job.reading_mm, refused=error.code)]


def _reading(job: CalibrationJob) -> Iterator[tuple[HeadCT, float]]:
    yield read(job.path), job.reading_mm


def _phantom(job: CalibrationJob, settings: ShiftSettings) -> Iterator[tuple[HeadCT, float]]:
    ct, entries = phantom_scan(job.path)
    truth = phantom_truth(entries, settings)
    if truth is None:
        return
    if job.source == DEGRADED:
        ct = degrade_scan(ct, np.random.default_rng([job.seed, crc32(job.path.name.encode())]))
    yield ct, truth


def _known_shifts(job: CalibrationJob, model: Model, settings: ShiftSettings) -> Iterable[tuple[HeadCT, float]]:
    """Yield the scan as it is, taken as unshifted, and with known shifts warped into it."""
    ct = read(job.path)
    own = measure_case(ct, lambda: (model, "cpu")).measurement
    yield ct, 0.0
    if own.refused:
        return
    window = np.array([one.in_case_window for one in own.slices])
    for amplitude in amplitudes(job.path.name, job.warps, job.seed):
        shift = known_shift(ct, own, amplitude, settings)
        push = np.array([shift.at_septum(one.index) for one in own.slices])
        yield shift.apply(ct), float(push[case_slice(push, window, settings.case_rule)])


def _work(folder: str, fingerprint: str, job: CalibrationJob) -> list[Sample]:
    return samples_of(job, cached_model(folder, fingerprint))


def all_samples(
    jobs: Sequence[CalibrationJob], folder: str, workers: int = 1, cluster: str | None = None
) -> Iterator[list[Sample]]:
    """Yield the samples of each job, in the jobs' order and the same wherever they were made.

    Args:
        workers, cluster: see ``distributed.map_parallel``.

    Raises:
        InputError: the model or a phantom cannot be read, or see ``distributed.map_parallel``.
    """
    yield from map_parallel(partial(_work, folder, model_fingerprint(folder)), jobs, workers, cluster)

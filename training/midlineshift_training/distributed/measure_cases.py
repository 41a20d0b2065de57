"""Measure the scans of a folder on CPUs, in processes of this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from midlineshift_training.distributed.map_parallel import check_visible, map_parallel
from midlineshift_training.distributed.model_cache import cached_model, model_fingerprint
from MidlineShiftLogic import exit_codes, parallel
from MidlineShiftLogic.batch.case import Case
from MidlineShiftLogic.batch.measure_batch import measure_batch
from MidlineShiftLogic.batch.measure_case import BatchSettings, CaseOutcome
from MidlineShiftLogic.batch.output import BatchOutput
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.reporting.case_name import case_names


def measure_scans(
    scans: Sequence[Path],
    settings: BatchSettings,
    output: BatchOutput,
    *,
    workers: int = 1,
    cluster: str | None = None,
    resume: bool = False,
) -> int:
    """Measure ``scans`` into ``settings.out`` by ``batch.measure_batch``.

    Args:
        scans: Absolute paths that every worker sees.
        settings: What is asked for all scans; its device must be ``"cpu"``.
        output: Receives starts, results and errors.
        workers, cluster: As for ``map_parallel``.
        resume: Keep the results that are there and did not change.

    Returns:
        The worst exit code of the scans.

    Raises:
        InputError: The model is damaged, the cluster cannot be reached or does not see the folders.
    """
    fingerprint = model_fingerprint(settings.model)  # a damaged model is reported before anything is measured
    settings.out.mkdir(parents=True, exist_ok=True)
    check_visible(cluster, [*{scan.parent for scan in scans}, settings.out])
    names = case_names(scans)
    cases = [Case(number, name, scan) for number, (name, scan) in enumerate(zip(names, scans, strict=True), 1)]
    return measure_batch(
        settings,
        cases,
        output,
        resume=resume,
        adopt=True,
        map_cases=partial(map_parallel, workers=workers, cluster=cluster, on_death=_report_death),
        load=partial(_load_cached, fingerprint),
    )


def _load_cached(fingerprint: str, model: str | None, _device: str) -> Model:
    return cached_model(model, fingerprint)


def _report_death(case: Case, how: str) -> CaseOutcome:
    message = (
        f"{parallel.ATTEMPTS} processes that measured it ended early ({how}); if memory ran out, start fewer workers on a "
        "machine."
    )
    return CaseOutcome(case, exit_codes.INTERNAL_ERROR, message=message, code="process-died")

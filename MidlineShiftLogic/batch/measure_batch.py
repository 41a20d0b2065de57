"""Measure the cases of a batch: the one function behind ``midlineshift measure`` and ``midlineshift-train measure``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.case import Case
from MidlineShiftLogic.batch.measure_case import BatchSettings, CaseMeasurer, CaseOutcome, LoadModel
from MidlineShiftLogic.batch.output import BatchOutput
from MidlineShiftLogic.batch.results_table import open_results_table
from MidlineShiftLogic.parallel import map_parallel
from MidlineShiftLogic.reporting.results_csv import TABLE_FILE

Mapping = Callable[..., Iterator[CaseOutcome]]
"""``map_cases(work, cases, on_start=...)``: yields the outcome of each case, in any order."""


def measure_batch(
    settings: BatchSettings,
    cases: Sequence[Case],
    output: BatchOutput,
    *,
    workers: int = 1,
    resume: bool = False,
    map_cases: Mapping | None = None,
    load: LoadModel | None = None,
    adopt: bool = False,
) -> int:
    """Measure cases into ``settings.out``; of several cases ``results.csv`` gets a row each.

    Args:
        settings: What is asked for all cases.
        cases: Cases with distinct names.
        output: Receives starts, results and errors; progress within a case only where cases are measured here.
        workers: Number of processes.
        resume: Leave cases alone that the table holds and that did not change.
        map_cases: Distributes the cases, for a cluster; processes of this machine if None.
        load: Loads the model; ``models.load_model`` if None.
        adopt: With ``resume``, also leave cases alone whose result is there but not in the table; they get their rows.

    Returns:
        The worst exit code of the cases, those left alone included.

    Raises:
        InputError: Something concerns all cases: device, model, ``--out``, the table, a missing package. Nothing was
            measured then.
    """
    prepare(settings)
    here = map_cases is None and (workers == 1 or len(cases) < 2)
    measurer = CaseMeasurer(settings, output.progress if here else None, load)
    map_cases = map_cases or partial(map_parallel, workers=workers, ordered=False, attempts=1, on_death=_report_death)
    # A case that has a row already must not differ from it.
    table = None
    if len(cases) > 1 or resume or (settings.out / TABLE_FILE).exists():
        table = open_results_table(settings)
    if table is not None and resume and adopt:
        table.adopt_results(cases)
    left, codes = (list(cases), []) if table is None else table.select_cases(cases, resume)
    output.selected(len(cases) - len(left), len(left))

    def start(case: Case) -> None:
        if table is not None:
            table.start(case)
        output.start(case.name, case.number, len(cases))

    try:
        for outcome in map_cases(measurer, left, on_start=start):
            if table is not None:
                table.record(outcome)
            if outcome.measurement is not None and outcome.folder is not None:
                output.result(outcome.measurement, outcome.folder)
            else:
                output.error(outcome.case.name, outcome.message, outcome.code, outcome.exit_code)
            codes.append(outcome.exit_code)
    finally:
        if table is not None:  # also of a run that was stopped: what is in the table by now
            output.summary(table.summary, table.table.path, len(cases))
    return exit_codes.worst(codes)


def prepare(settings: BatchSettings) -> None:
    """Check what concerns all cases before any is measured, and make ``settings.out``.

    Raises:
        InputError: Unknown device, a missing package, or a folder that cannot be written.
    """
    from MidlineShiftLogic.device import resolve_device
    from MidlineShiftLogic.reporting.case_folder import remove_stale, result_parent

    resolve_device(settings.device)
    if settings.dicom:
        from MidlineShiftLogic.reporting.dicom import require_highdicom

        require_highdicom()
    if settings.pdf:
        from MidlineShiftLogic.reporting.html.pdf import require_pdf

        require_pdf()
    remove_stale(result_parent(settings.out))


def _report_death(case: Case, how: str) -> CaseOutcome:
    message = f"The process that measured it ended early ({how}); if memory ran out, use fewer --workers."
    return CaseOutcome(case, exit_codes.INTERNAL_ERROR, message=message, code="process-died")

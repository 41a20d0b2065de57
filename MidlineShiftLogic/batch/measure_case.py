"""Measure one case of a batch into its result folder."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MidlineShiftLogic import exit_codes
from MidlineShiftLogic.batch.case import Case
from MidlineShiftLogic.batch.library_output import suppress_output
from MidlineShiftLogic.errors import error_code, format_error
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.progress import Progress

if TYPE_CHECKING:
    from MidlineShiftLogic.api import CaseResult

LoadModel = Callable[["str | None", str], Any]
"""``load(name or folder, device) -> Model``, as ``models.load_model``."""


@dataclass(frozen=True)
class BatchSettings:
    """Hold what is asked for all cases of a batch; can be sent to another process.

    Attributes:
        out: Folder of all results.
        model: Name of a shipped model or a model folder; None takes the default model.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        authors_readout: Also report the largest displacement, the number of Gong et al. 2023.
        fields: Also write ``fields.npz``.
        dicom: Also write ``sr.dcm`` and ``capture/``.
        report, pdf: Also write ``report.html``, ``report.pdf``.
        identify: Put the patient's name on the report.
        debug: Print tracebacks and what libraries print.
    """

    out: Path
    model: str | None = None
    device: str = "auto"
    authors_readout: bool = False
    fields: bool = False
    dicom: bool = False
    report: bool = False
    pdf: bool = False
    identify: bool = False
    debug: bool = False


@dataclass(frozen=True)
class CaseOutcome:
    """Hold what became of a case: its measurement and folder, or an error.

    Attributes:
        case: The case.
        exit_code: The exit code the case would have alone.
        measurement: What was measured, or refused; None after an error.
        folder: The result folder; None after an error.
        message: The error in one sentence.
        code: The code of the error.
    """

    case: Case
    exit_code: int
    measurement: Measurement | None = None
    folder: Path | None = None
    message: str = ""
    code: str = ""


@dataclass
class CaseMeasurer:
    """Measure cases one after another with one loaded model.

    A copy in another process loads the model for itself, when its first measurable scan is read.

    Attributes:
        settings: What is asked for all cases.
        progress: Called while a case is measured; stays in this process.
        load: Loads the model; ``models.load_model`` if None.
    """

    settings: BatchSettings
    progress: Progress | None = None
    load: LoadModel | None = None
    _opened: tuple[Any, str] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"progress": None, "_opened": None}

    def __call__(self, case: Case) -> CaseOutcome:
        """Measure ``case`` into ``settings.out / case.name``; errors are outcomes, so that the other cases go on."""
        try:
            with suppress_output(self.settings.debug):
                return self._measure(case)
        except BrokenPipeError:
            raise
        except Exception as error:
            if self.settings.debug:
                traceback.print_exc(file=sys.stderr)
            return CaseOutcome(case, exit_codes.of(error), message=format_error(error), code=error_code(error))

    def _measure(self, case: Case) -> CaseOutcome:
        from MidlineShiftLogic.api import measure_case
        from MidlineShiftLogic.reporting.case_folder import refuse_foreign_folder, refuse_readers_work
        from MidlineShiftLogic.reporting.write_case import write_case

        settings = self.settings
        case.check()
        refuse_foreign_folder(settings.out / case.name)
        refuse_readers_work(settings.out / case.name)
        if settings.dicom:
            from MidlineShiftLogic.headct.load import refuse_other_than_dicom

            refuse_other_than_dicom(case.source)
        writers = [_report_writer(settings, case)] if settings.report else []
        writers += [_write_dicom] if settings.dicom else []
        result = measure_case(
            case.source,
            self._open_model,
            self.progress,
            case_id=case.name,
            spacing=case.spacing,
            authors_readout=settings.authors_readout,
        )

        def write_more(folder: Path) -> None:
            for write in writers:
                write(result, folder)

        folder = write_case(
            settings.out, case.name, result.measurement, result.ct, result.dense, settings.fields, write_more
        )
        exit_code = exit_codes.REFUSED if result.measurement.refused else exit_codes.MEASURED
        return CaseOutcome(case, exit_code, result.measurement, folder)

    def _open_model(self) -> tuple[Any, str]:
        if self._opened is None:
            from MidlineShiftLogic.device import resolve_device
            from MidlineShiftLogic.models import load_model
            from MidlineShiftLogic.reporting.figures.drawing import load_library

            device = resolve_device(self.settings.device)
            threading.Thread(target=load_library).start()  # while networks compute, Python's lock is free
            self._opened = (self.load or load_model)(self.settings.model, device), device
        return self._opened


def _write_dicom(result: CaseResult, folder: Path) -> None:
    from MidlineShiftLogic.reporting.dicom import write_objects

    write_objects(folder, result.measurement, result.ct, result.dense)


def _report_writer(settings: BatchSettings, case: Case) -> Callable[[CaseResult, Path], object]:
    """Return what writes the report of a case; priors and patient are read before anything is measured."""
    from MidlineShiftLogic.reporting.html import read_result, write_report
    from MidlineShiftLogic.reporting.html.write import ReportOptions

    patient = None
    if settings.identify:
        from MidlineShiftLogic.headct.patient import read_patient

        patient = read_patient(case.source)
    priors = [read_result(prior) for prior in case.priors]
    folders = [] if settings.model is None else [Path(settings.model)]
    options = ReportOptions(priors, patient, settings.pdf, folders)
    return lambda result, folder: write_report(folder, result.measurement, options)

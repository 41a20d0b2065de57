"""Every file of a case that a reader edited or reviewed, from the scan and the measurement alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.progress import Progress, silent
from MidlineShiftLogic.reporting.measurement_json import to_json
from MidlineShiftLogic.reporting.shifts_csv import write_shifts

if TYPE_CHECKING:
    from MidlineShiftLogic.inference.dense_arrays import DenseArrays

STEPS = 5


def write_reviewed_case(
    folder: Path,
    measurement: Measurement,
    ct: HeadCT,
    dense: DenseArrays | None,
    images: Sequence[Path] = (),
    progress: Progress | None = None,
) -> str:
    """Fill an existing folder; the caller sees to it that it appears whole (``reporting.case_folder``).

    Always ``measurement.json``, ``shifts.csv``, ``slices.png`` and ``report.html``; ``overlay.png`` with ``dense``; with
    ``images`` also ``sr.dcm`` and, with ``dense``, ``capture/``.

    Args:
        dense: arrays of the slice of the case; None where the displacement is not at hand.
        images: files of the DICOM series that ``ct`` is of.

    Returns:
        One sentence that says why there are no DICOM objects though images were given; empty if there are.

    Raises:
        OSError: cannot be written. ImportError: a package is missing.
    """
    from MidlineShiftLogic.reporting.figures.overlay import write_overlay
    from MidlineShiftLogic.reporting.figures.sheet import write_sheet
    from MidlineShiftLogic.reporting.html import write_report

    progress = progress or silent
    progress(0, STEPS, "writing numbers")
    (folder / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
    write_shifts(folder / "shifts.csv", measurement)
    progress(1, STEPS, "writing pictures")
    if dense is not None:
        write_overlay(folder / "overlay.png", ct, measurement, dense)
    progress(2, STEPS, "writing pictures")
    write_sheet(folder / "slices.png", ct, measurement)
    progress(3, STEPS, "writing the report")
    write_report(folder, measurement)
    progress(4, STEPS, "writing DICOM objects" if images else "writing the report")
    objection = _write_dicom(folder, measurement, ct, dense, images) if images else ""
    progress(STEPS, STEPS, "writing")
    return objection


def _write_dicom(
    folder: Path, measurement: Measurement, ct: HeadCT, dense: DenseArrays | None, images: Sequence[Path]
) -> str:
    from MidlineShiftLogic.reporting.dicom import source_of_files, write_objects

    try:
        write_objects(folder, measurement, ct, dense, source_of_files(images))
    except (InputError, ValueError, TypeError, AttributeError, KeyError) as error:
        # highdicom is strict with what some scanners write; the rest of the export is whole without these
        (folder / "sr.dcm").unlink(missing_ok=True)
        shutil.rmtree(folder / "capture", ignore_errors=True)
        return f"they cannot be made of this scan's images ({str(error).rstrip('.')})"
    return ""

"""Write the result of a case into its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.case_folder import case_folder
from MidlineShiftLogic.reporting.measurement_json import to_json

if TYPE_CHECKING:
    from MidlineShiftLogic.inference.dense_result import DenseResult


def write_case(
    out: Path,
    case: str,
    measurement: Measurement,
    ct: HeadCT | None,
    dense: DenseResult | None,
    fields: bool = False,
    also: Callable[[Path], object] | None = None,
) -> Path:
    """Write the files of one case into ``out/case``, all or none.

    ``measurement.json`` always; ``overlay.png`` and ``slices.png`` where there is dense to draw (not if refused);
    with ``fields`` also ``fields.npz`` (``fields_file``); then whatever ``also`` writes into the folder it is given.

    Returns:
        The folder.

    Raises:
        InputError: ``out/case`` exists and is not a result of midlineshift.
    """
    with case_folder(out, case) as folder:
        (folder / "measurement.json").write_text(to_json(measurement), encoding="utf-8")
        if dense is not None:
            from MidlineShiftLogic.reporting.figures.overlay import write_overlay
            from MidlineShiftLogic.reporting.figures.sheet import write_sheet

            if ct is None:
                raise ValueError("pictures of the dense results need the scan")
            shown = measurement.measured_slice().index
            write_overlay(folder / "overlay.png", ct, measurement, dense.of_slice(shown))
            write_sheet(folder / "slices.png", ct, measurement)
            if fields:
                from MidlineShiftLogic.reporting.fields_file import write_fields

                write_fields(folder / "fields.npz", dense)
        if also is not None:
            also(folder)
    return out / case

"""Write the report of a case beside its other files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MidlineShiftLogic.measurement.results import Measurement
from MidlineShiftLogic.reporting.html.model_line import model_line
from MidlineShiftLogic.reporting.html.page import report_html
from MidlineShiftLogic.unfinished import remove_stale, unfinished_name

if TYPE_CHECKING:
    from MidlineShiftLogic.headct.patient import Patient

HTML_FILE, PDF_FILE = "report.html", "report.pdf"
MARKED_CHARACTERS = 50
"""Of the folder's name, for the name of an unfinished report beside it: file systems allow 255 bytes in all."""


@dataclass(frozen=True)
class ReportOptions:
    """Hold what a report contains beside the measurement.

    Attributes:
        priors: earlier measurements of the same patient.
        patient: name on the report; None leaves it out.
        pdf: also make ``report.pdf``.
        model_folders: where to look for the model's card beside the models that can be given by name.
    """

    priors: Sequence[Measurement] = ()
    patient: Patient | None = None
    pdf: bool = False
    model_folders: Iterable[Path] = ()


def write_report(folder: Path, measurement: Measurement, options: ReportOptions | None = None) -> list[Path]:
    """Write ``report.html``, and ``report.pdf`` if asked for, into a case's folder; each appears whole or not at all.

    The pictures are those of ``overlay.png`` in the folder. A ``report.pdf`` that an earlier report left, and that would
    not belong to this one, is removed. A report that names the patient is for its owner only.

    Raises:
        InputError: ``report_html`` or ``to_pdf`` cannot be made.
        OSError: the folder cannot be written.
    """
    options = options or ReportOptions()
    overlay = folder / "overlay.png"
    html = report_html(
        measurement,
        overlay_png=overlay.read_bytes() if overlay.is_file() else None,
        priors=options.priors,
        patient=options.patient,
        model=model_line(measurement.model, options.model_folders),
    )
    contents = {HTML_FILE: html.encode("utf-8")}
    if options.pdf:
        from MidlineShiftLogic.reporting.html.pdf import to_pdf

        contents[PDF_FILE] = to_pdf(html)
    mode = 0o666 & ~_umask() if options.patient is None else 0o600
    for name, content in contents.items():
        _replace(folder / name, content, mode)
    if not options.pdf:
        (folder / PDF_FILE).unlink(missing_ok=True)
    return [folder / name for name in contents]


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write the file whole or not at all, with these permissions.

    What a kill may leave is beside the folder of the case, which must hold results alone.
    """
    beside, name = path.parent.parent, f"{path.parent.name[:MARKED_CHARACTERS]}.{path.name}"
    partial = beside / unfinished_name(name)
    remove_stale(beside, name)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as stream:
            stream.write(content)
        os.chmod(partial, mode)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

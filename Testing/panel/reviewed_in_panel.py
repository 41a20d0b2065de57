"""Load a result that was reviewed elsewhere into the real panel, export it there, and return every number of the case."""

from __future__ import annotations

from pathlib import Path

from panel_fixture import PanelFixture
from slicer_dicom import imported, load_like_slicer

from MidlineShiftLogic.headct import read
from MidlineShiftLogic.reporting.dicom import read_report
from MidlineShiftLogic.reporting.html import read_result


def numbers_in_panel(host, scan: Path, reviewed: Path, out: Path) -> dict:
    """Go the way of a user: *Load result…* of ``measurement.json``, then *Export*; and *Load result…* of ``sr.dcm``.

    Args:
        host: running host. scan: folder of DICOM images. reviewed: the reader's folder of the case. out: for the export.

    Returns:
        Where the number stands -> signed shift in mm; ``reader`` and ``decision`` as the panel has them; ``shown``, the
        panel's text.
    """
    panel = PanelFixture(host)
    ct = read(scan)
    volume = load_like_slicer(host.core, ct, scan.name)
    with imported(ct, scan) as uids:
        volume.SetAttribute("DICOM.instanceUIDs", uids)
        panel.volume = volume
        panel.ui.inputSelector.setCurrentNode(volume)
        host.process()
        load(panel, reviewed / "measurement.json")
        shown, now = panel.ui.shiftLabel.text, panel.editor.measurement
        panel.dialogs.folder = str(out)
        panel.export()
        assert panel.ui.exportLabel.text.startswith("Written to"), panel.ui.exportLabel.text
        (written,) = out.iterdir()
        load(panel, reviewed / "sr.dcm")
        of_report = panel.editor.measurement.signed_shift_mm
    return {
        "panel": now.signed_shift_mm,
        "panel from the review's SR": of_report,
        "review's SR": read_report(reviewed / "sr.dcm").signed_shift_mm,
        "panel's export": read_result(written).signed_shift_mm,
        "panel's SR": read_report(written / "sr.dcm").signed_shift_mm,
        "reader": now.review.reader,
        "decision": now.review.decision,
        "shown": " ".join(shown.replace("→", "").replace("←", "").split()),
    }


def load(panel: PanelFixture, file: Path) -> None:
    """Press *Load result…* and choose a file."""
    panel.dialogs.result = str(file)
    panel.click(panel.ui.loadResultButton)
    panel.settle()
    assert "was loaded" in panel.ui.statusLabel.text, panel.ui.statusLabel.text

"""Drag the landmark of measured scans outward with the mouse and check that the panel's number never falls.

``python Testing/panel/drag_cases.py RESULTS [--cases N]``: RESULTS is the ``--out`` of ``midlineshift measure``; its
``results.csv`` names the scans. Each result is loaded into the panel in the test host; on the case's slice and the measured
slices beside it the landmark at the septum is pulled away from the ideal midline in steps, by mouse events of Qt. Prints a
line a case; exits with 1 where a number fell, changed its side, or did not follow.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]

from panel_fixture import PanelFixture  # noqa: E402

STEPS_MM = (1.0, 2.0, 4.0)
"""How far each drag goes; a landmark sits on whole pixels of the screen, so that less may be none."""
SAME_MM = 0.005
NO_SIDE_MM = 0.5


@dataclass(frozen=True)
class Drag:
    """One drag outward: signed mm of the case and of the slice, before and after; slice index; what the panel shows then."""

    index: int
    case_before: float
    case_after: float
    slice_before: float
    slice_after: float
    shown: str

    @property
    def fault(self) -> str:
        """What a reader would not understand; empty where there is nothing."""
        if abs(self.case_after) < abs(self.case_before) - SAME_MM:
            return f"fell from {self.case_before:+.2f} to {self.case_after:+.2f} mm"
        if abs(self.slice_after) < abs(self.slice_before) + 0.3:
            return f"the slice did not follow: {self.slice_before:+.2f} to {self.slice_after:+.2f} mm"
        of_other_side = (
            self.slice_after * self.case_before < 0
        )  # a larger shift of a slice to the other side is the case's
        if self.case_before * self.case_after < 0 and abs(self.case_before) >= NO_SIDE_MM and not of_other_side:
            return f"changed its side: {self.case_before:+.2f} to {self.case_after:+.2f} mm"
        if not self.shown.startswith(f"{abs(self.case_after):.1f} mm"):
            return f"the panel shows {self.shown!r} for {self.case_after:+.2f} mm"
        return ""


def drag_outward(panel: PanelFixture, slices: int = 3, steps_mm=STEPS_MM) -> list[Drag]:
    """Drag on the case's slice and the measured ones next to it, away from the ideal midline, on each slice's own side."""
    measurement = panel.editor.measurement
    nearest = sorted(measurement.slices, key=lambda one: abs(one.index - measurement.slice))[:slices]
    found = []
    for one in nearest:
        # a shift without a side is pulled to the side of the case
        signed = one.signed_shift_mm if abs(one.signed_shift_mm) >= NO_SIDE_MM else measurement.signed_shift_mm
        for step in steps_mm:
            panel.editor.goTo(one.index)
            before, of_slice = panel.editor.measurement, panel.editor.shownSlice.signed_shift_mm
            panel.drag("shifted", -step if signed >= 0 else step)
            after = panel.editor.measurement
            found.append(
                Drag(
                    one.index, before.signed_shift_mm, after.signed_shift_mm, of_slice,
                    panel.editor.shownSlice.signed_shift_mm, panel.ui.shiftLabel.text,
                )
            )  # fmt: skip
    return found


def open_case(host, scan: Path, result: Path) -> PanelFixture:
    """A panel with a scan and its result, loaded by *Load result…*."""
    import slicer

    panel = PanelFixture(host)
    panel.volume = slicer.util.loadVolume(str(scan))
    panel.ui.inputSelector.setCurrentNode(panel.volume)
    host.process()
    panel.dialogs.result = str(result / "measurement.json")
    panel.click(panel.ui.loadResultButton)
    panel.settle()
    if panel.editor.measurement is None:
        raise SystemExit(f"{result.name}: {panel.ui.statusLabel.text}")
    return panel


def main() -> None:
    """Drag on the cases of a folder of results."""
    from host.application import Host

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--cases", type=int, default=20)
    options = parser.parse_args()
    with (options.results / "results.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["status"] == "measured"][: options.cases]
    drags = faults = 0
    for row in rows:
        host = Host(Path(tempfile.mkdtemp()))
        found = drag_outward(open_case(host, Path(row["source"]), options.results / row["case"]))
        host.close()
        wrong = [f"slice {one.index + 1}: {one.fault}" for one in found if one.fault]
        drags, faults = drags + len(found), faults + len(wrong)
        way = " ".join(f"{one.case_after:+.2f}" for one in found)
        print(f"{row['case']}: {found[0].case_before:+.2f} -> {way} mm {'; '.join(wrong)}", flush=True)
    print(f"{len(rows)} cases, {drags} drags by mouse, {faults} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()

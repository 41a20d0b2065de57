"""Walk real cases through the review in Chromium as a reader does, and hold every number against the panel and the SR.

``python Testing/review/walk_cases.py SCAN... --out FOLDER``: each scan becomes a DICOM series, all are measured by
``midlineshift measure`` and served by ``midlineshift review``; in Chromium each case is opened, its landmark is dragged
outward by the mouse, the case is accepted, and the key N goes to the next. Then each result is loaded into the panel, in
the test host, and exported from there. Prints a line a case; exits with 1 where a number differs by more than 0.01 mm.
Scans of patients stay outside of the repository: give a folder that is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "helpers"), str(HERE.parent / "panel")]

import mrml_core  # noqa: E402, F401
from dicom_case import PATIENT  # noqa: E402
from make_scans import write_dicom  # noqa: E402
from review_case import Server, wait_until  # noqa: E402
from review_page import Page, start_browser  # noqa: E402

from MidlineShiftLogic.headct import read  # noqa: E402
from MidlineShiftLogic.reporting.case_name import case_name  # noqa: E402
from MidlineShiftLogic.reporting.html import read_result  # noqa: E402

READER = "Walking Reader"
DRAG_PX = 25
SAME_MM = 0.01
NAME = "return typeof state === 'undefined' || state === null ? null : state.name"
"""Script for the name of the case that a page shows."""
UID_ROOT = "1.2.826.0.1.3680043.8.498"


def make_series(scans: list[Path], folder: Path) -> list[str]:
    """Write every scan as a DICOM series of its own study; names of the cases."""
    names = []
    for number, scan in enumerate(scans, 1):
        name, ct = case_name(scan), read(scan)
        if any(len(members) > 1 for members in ct.source_slices):
            raise SystemExit(f"{scan} has thin slices; this walk takes scans that are measured slice by slice.")
        series = f"{UID_ROOT}.{number}"
        own = {"PatientID": name, "SeriesInstanceUID": series, "StudyInstanceUID": f"{series}.0"}
        write_dicom(replace(ct, sop_instance_uids=()), folder / name, **PATIENT | own)
        names.append(name)
    return names


def walk(page: Page, names: list[str]) -> dict[str, dict]:
    """Open, drag, accept, next: name -> the state that the page showed at the end of the case."""
    states = {}
    page.open_case(0)
    for number in range(len(names)):
        state = page.state()
        outward = DRAG_PX if state["signed_shift_mm"] >= 0 else -DRAG_PX
        shown = page.drag("shifted", outward)
        assert len(set(shown)) > 1, "the number follows the mouse"
        moved = page.state()
        if abs(moved["signed_shift_mm"]) < abs(state["signed_shift_mm"]):
            raise SystemExit(f"{state['name']}: an outward drag lowered the number")
        page.click("accept")
        wait_until(lambda: "are written" in page.text("notice"), what=f"report of {state['name']}")
        states[state["name"]] = page.state() | {"before": state["signed_shift_mm"], "report": page.text("notice")}
        if number + 1 < len(names):
            page.keys("n")
            wait_until(lambda last=state["name"]: page.script(NAME) not in (None, last), what="next case")
            page.wait_drawn()
    return states


def compare(names: list[str], states: dict[str, dict], series: Path, results: Path, out: Path) -> int:
    """Print every case's numbers; number of cases where they differ."""
    from host.application import Host
    from reviewed_in_panel import numbers_in_panel

    worse = 0
    for name in names:
        own = results / "reviews" / READER / name
        expected = read_result(own).signed_shift_mm
        host = Host(Path(tempfile.mkdtemp()))
        found = numbers_in_panel(host, series / name, own, out / name)
        host.close()
        numbers = {key: value for key, value in found.items() if isinstance(value, float)}
        numbers["page"] = states[name]["signed_shift_mm"]
        apart = max(abs(value - expected) for value in numbers.values())
        worse += apart > SAME_MM or found["reader"] != READER
        print(
            f"{name}: model {states[name]['before']:+.2f}, reviewed {expected:+.2f} mm, {len(numbers)} places at most "
            f"{apart:.4f} mm apart; the panel shows {found['shown']!r}, {found['decision']} by {found['reader']}",
            flush=True,
        )
    return worse


def main() -> None:
    """Walk the scans that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="Folder for everything that is written.")
    options = parser.parse_args()
    series, results = options.out / "series", options.out / "results"
    names = make_series(options.scans, series)
    measured = subprocess.run(
        [sys.executable, "-m", "MidlineShiftLogic", "measure", *map(str, sorted(series.iterdir())), "--out", str(results),
         "--fields", "--quiet"],
    )  # fmt: skip
    if measured.returncode != 0:
        raise SystemExit("Not every scan was measured; leave out what cannot be.")
    server = Server(results, "--reader", READER)
    server.start()
    browser = start_browser()
    try:
        states = walk(Page(browser, server), names)
    finally:
        browser.quit()
        server.stop()
    raise SystemExit(1 if compare(names, states, series, results, options.out / "exported") else 0)


if __name__ == "__main__":
    main()

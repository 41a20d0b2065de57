"""Compare what ``make demo`` measured with the known shifts of the two samples, and say which files to open.

The samples are synthetic, so their shift is known exactly (``truth.json``). Usage: ``compare_with_truth.py RESULTS``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TOLERANCE_MM = 1.0  # about twice the mean error on phantoms
NO_SIDE_MM = 0.5  # smaller shifts have no side, as in measurement.json


def in_words(signed_mm: float) -> str:
    """Return a signed shift (positive toward the patient's left) as size and side."""
    side = "" if abs(signed_mm) < NO_SIDE_MM else " to the left" if signed_mm > 0 else " to the right"
    return f"{abs(signed_mm):.1f} mm{side}"


def compare(results: Path, truth: dict[str, dict]) -> tuple[list[str], bool]:
    """Return the table's lines, and whether every sample was measured within the tolerance.

    Args:
        results: folder that ``midlineshift measure --out`` wrote.
        truth: content of ``truth.json``.
    """
    lines, right = [f"{'':18}{'measured':20}{'true':20}"], True
    for name, facts in truth.items():
        case = json.loads((results / name / "measurement.json").read_text(encoding="utf-8"))["case"]
        measured, true = case["signed_shift_mm"], facts["signed_shift_mm"]
        near = measured is not None and abs(measured - true) <= TOLERANCE_MM
        right &= near
        text = "nothing" if measured is None else in_words(measured)
        lines.append(f"{name:18}{text:20}{in_words(true):20}{'right' if near else 'WRONG'}")
    return lines, right


def main() -> int:
    """Print the comparison; return 1 if a sample was measured wrongly."""
    results = Path(sys.argv[1])
    truth = json.loads((Path(__file__).parent / "truth.json").read_text(encoding="utf-8"))
    lines, right = compare(results, truth)
    shown = results / max(truth, key=lambda name: abs(truth[name]["signed_shift_mm"]))
    lines.append(f"A sample is measured correctly within {TOLERANCE_MM:g} mm of its true shift.")
    lines.append(f"Look at the picture  {shown / 'overlay.png'}")
    lines.append(f"Open the report      {shown / 'report.html'}")
    print("\n" + "\n".join(lines))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

"""Stored measurements of the two synthetic samples: ``python Testing/logic/released/golden.py`` writes them anew.

To be written anew only with a new released model, or where a change of the numbers is meant and said in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("golden.json")
SAMPLES = Path(__file__).resolve().parents[3] / "Resources" / "SampleScans"
NAMES = ("sample_shifted", "sample_unshifted")
DIGITS = 4


def measured(name: str) -> dict:
    """Measure a sample with the released model on the CPU; JSON-ready, mm rounded to 0.0001."""
    from MidlineShiftLogic import measure

    m = measure(SAMPLES / f"{name}.nii.gz", device="cpu", authors_readout=True)
    return {
        "slice": m.slice,
        "quality": sorted(flag.code for flag in m.quality),
        "case_mm": {
            "signed_shift": round(m.signed_shift_mm, DIGITS),
            "interval_low": round(m.interval_mm[0], DIGITS),
            "interval_high": round(m.interval_mm[1], DIGITS),
            "authors_readout": round(m.authors_readout_mm, DIGITS),
        },
        "slices_mm": {str(one.index): round(one.signed_shift_mm, DIGITS) for one in m.slices},
        "heights_mm": {str(one.index): round(one.height_mm, DIGITS) for one in m.slices},
        "landmarks_lps_mm": {
            name: [round(float(x), DIGITS) for x in point]
            for name, point in next(one for one in m.slices if one.index == m.slice).landmarks_lps_mm.items()
        },
    }


def model_identity() -> dict:
    """Name, version and digest of the released model."""
    from MidlineShiftLogic.models.fingerprint import model_identity

    return model_identity(None)


if __name__ == "__main__":
    content = {"model": model_identity(), "samples": {name: measured(name) for name in NAMES}}
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

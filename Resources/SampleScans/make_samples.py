"""Make the two sample scans from the project's phantoms: one shifted about 8 mm by a bleed, one not shifted.

Synthetic throughout: no patient's image is in them. Run: ``python Resources/SampleScans/make_samples.py``
(``midlineshift[training]`` installed). Cases of ``SEED`` are generated in order until one fits each sample; the file
name ``truth.json`` beside the scans tells which, and their true shifts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from midlineshift_training.phantoms.case import generate

FOLDER = Path(__file__).parent
SEED = 20230409
MOST_CASES = 300
LARGEST_YAW_DEG, LARGEST_OTHER_ANGLE_DEG = 12.0, 9.0
BLEEDS = {"bleed", "acute subdural", "contusions"}


def plain(meta: dict) -> bool:
    """An adult without an operation, lying about as scanners want it."""
    yaw, pitch, roll = meta["angles_deg"]
    straight = abs(yaw) < LARGEST_YAW_DEG and max(abs(pitch), abs(roll)) < LARGEST_OTHER_ANGLE_DEG
    return meta["age"] == "adult" and meta["surgery"] is None and not meta["drain"] and straight


def shifted(case: dict, meta: dict) -> bool:
    return plain(meta) and 7.0 < abs(case["case_shift_mm"]) < 9.0 and bool(BLEEDS & set(meta["kinds"]))


def unshifted(case: dict, meta: dict) -> bool:
    return plain(meta) and abs(case["case_shift_mm"]) < 0.4 and not meta["kinds"]


def save(case: dict, path: Path) -> None:
    """Write the phantom as NIfTI (int16 HU, RAS+ geometry, irregular slice steps evened out to their mean)."""
    heights = case["heights_mm"]
    pixel, step = float(case["pixel_mm"]), float(np.diff(heights).mean())
    if not np.allclose(np.diff(heights), step, atol=0.01):
        raise ValueError("NIfTI cannot hold uneven slice steps")
    affine = np.diag([-pixel, -pixel, step, 1.0])
    affine[:3, 3] = 127.5 * pixel, 127.5 * pixel, heights[0]
    image = nibabel.Nifti1Image(case["hu"].transpose(2, 1, 0).astype(np.int16), affine)
    image.header["descrip"] = b"synthetic head CT, no patient"
    nibabel.save(image, path)


def first(fits: Callable[[dict, dict], bool]) -> tuple[int, dict, dict]:
    for index in range(MOST_CASES):
        case = generate(SEED, index)
        meta = json.loads(str(case["meta"]))
        even = np.ptp(np.diff(case["heights_mm"])) < 0.01
        if even and fits(case, meta):
            return index, case, meta
    raise RuntimeError(f"none of {MOST_CASES} cases fits")


def main() -> None:
    truth = {}
    for name, fits in (("sample_shifted", shifted), ("sample_unshifted", unshifted)):
        index, case, meta = first(fits)
        path = FOLDER / f"{name}.nii.gz"
        save(case, path)
        truth[name] = {
            "seed": SEED,
            "case": index,
            "signed_shift_mm": round(float(case["case_shift_mm"]), 2),
            "lesions": meta["kinds"],
            "lesion_ml": meta["lesion_ml"],
        }
        print(f"{path.name}: {truth[name]}, {path.stat().st_size / 1e6:.1f} MB")
    (FOLDER / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Make the two sample scans from the project's phantoms: one shifted by a bleed, one not shifted.

Synthetic throughout: no patient's image is in them. Run ``python Resources/SampleScans/make_samples.py`` where
``midlineshift[training]`` is installed. ``truth.json`` beside the scans tells their true shifts.
The shipped files were made by the generator as of 2026-11-22 (revision 581d90d); it has changed since, so that these
case numbers make other heads now; choose fitting ones anew before running this.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np

from midlineshift_training.datasets.phantoms.case import generate

FOLDER = Path(__file__).parent
SEED = 20230409
# The first cases of the seed that fit: an adult without an operation, lying about as scanners want it, with even slice
# steps (NIfTI knows no others); 7 to 9 mm shifted by a bleed, and without any lesion.
CASES = {"sample_shifted": 117, "sample_unshifted": 24}


def save(case: dict[str, np.ndarray], path: Path) -> None:
    """Write a phantom as NIfTI: int16 HU, RAS+ geometry. ValueError for uneven slice steps."""
    heights = case["heights_mm"]
    pixel, step = float(case["pixel_mm"]), float(np.diff(heights).mean())
    if not np.allclose(np.diff(heights), step, atol=0.01):
        raise ValueError("NIfTI cannot hold uneven slice steps")
    affine = np.diag([-pixel, -pixel, step, 1.0])
    affine[:3, 3] = 127.5 * pixel, 127.5 * pixel, heights[0]
    image = nibabel.Nifti1Image(case["hu"].transpose(2, 1, 0).astype(np.int16), affine)
    image.header["descrip"] = b"synthetic head CT, no patient"
    nibabel.save(image, path)


def main() -> None:
    truth = {}
    for name, index in CASES.items():
        case = generate(SEED, index)
        meta = json.loads(str(case["meta"]))
        path = FOLDER / f"{name}.nii.gz"
        save(case, path)
        truth[name] = {
            "seed": SEED,
            "case": index,
            "signed_shift_mm": round(float(case["case_shift_mm"]), 2),
            "lesions": meta["kinds"],
        }
        print(f"{path.name}: {truth[name]}, {path.stat().st_size / 1e6:.1f} MB")
    (FOLDER / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

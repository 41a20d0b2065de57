"""Pictures of the phantoms with the largest errors. Only of phantoms: no picture of a patient leaves the evaluation."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from midlineshift_training.datasets.phantoms.files import phantom_scan
from midlineshift_training.evaluation.jobs import PHANTOMS
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.models import Model
from MidlineShiftLogic.reporting.figures.overlay import write_overlay

PICTURES = 3
WIDTH_PX = 1100


def draw_worst(worst: list[dict], folder: Path, model: Model, out: Path) -> dict[str, str]:
    """Measure the farthest phantoms again and draw what was measured on them.

    Args:
        worst: rows of ``evaluation["worst"]``. folder: of the phantoms. out: folder for the PNGs.

    Returns:
        File name -> caption.
    """
    made = {}
    for number, row in enumerate([row for row in worst if row["set"] == PHANTOMS][:PICTURES], 1):
        ct, _ = phantom_scan(folder / f"{row['case']}.npz")
        result = measure_case(ct, lambda: (model, "cpu"), case_id=f"phantom {row['case']}")
        if result.ct is None or result.dense is None:
            continue  # refused this time
        path = out / f"worst_phantom_{number}.png"
        write_overlay(path, result.ct, result.measurement, result.dense)
        _shrink(path)
        kinds = ", ".join(name for names in row["groups"].values() for name in names)
        made[path.name] = (
            f"Phantom {row['case']} ({kinds or 'no details'}): true {row['truth_mm']:+.1f} mm, "
            f"measured {row['measured_mm']:+.1f} mm."
        )
    return made


def _shrink(path: Path) -> None:
    """Shrink a picture to a size that suits a model card."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize(
            (WIDTH_PX, round(picture.height * WIDTH_PX / picture.width)), Image.Resampling.LANCZOS
        )
    small.quantize(256).save(path, optimize=True)

"""Cases and slices of the sets that a run is trained on, as its settings tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.annotated.case import SetCase
from midlineshift_training.datasets.annotated.open import train_and_validation
from midlineshift_training.datasets.set_slices import SetSlices, cut_set


def set_cases(settings: dict[str, Any]) -> tuple[list[SetCase], list[SetCase]]:
    """Cases to train on and to check with; their numbers go into ``settings``.

    Args:
        settings: ``data``, ``validation_data``, ``spacing``, ``seed``.
    """
    spacing = settings["spacing"]
    cases, held_out = train_and_validation(
        [Path(path) for path in settings["data"]],
        [Path(path) for path in settings["validation_data"] or ()],
        tuple(spacing) if spacing else None,
        settings["seed"],
    )
    settings |= {"cases": len(cases), "validation_cases": len(held_out)}
    return cases, held_out


def cut_cases(
    cases: Sequence[SetCase], settings: dict[str, Any], size: int, pixel_mm: float, cohort: str = "all"
) -> SetSlices:
    """Slices of the cases in the run's frame, on ``size`` points of ``pixel_mm`` frame millimetres."""
    s = settings
    return cut_set(
        cases, size, pixel_mm, s["frame_mm"], s["frame"], s["slices"], s["heights_mm"], s["non_mls_below_mm"], cohort
    )

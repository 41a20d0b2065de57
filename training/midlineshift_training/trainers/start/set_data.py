"""Cases and slices of the sets that a run is trained on, as its settings tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.load import train_and_validation
from midlineshift_training.datasets.annotated_slices import AnnotatedSlices, cut_slices


def set_cases(settings: dict[str, Any]) -> tuple[list[AnnotatedCase], list[AnnotatedCase]]:
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
    cases: Sequence[AnnotatedCase], settings: dict[str, Any], size: int, pixel_mm: float, cohort: str = "all"
) -> AnnotatedSlices:
    """Slices of the cases in the run's frame, on ``size`` points of ``pixel_mm`` frame millimetres."""
    s = settings
    return cut_slices(
        cases, size, pixel_mm, s["frame_mm"], s["frame"], s["slices"], s["heights_mm"], s["non_mls_below_mm"], cohort
    )

"""Annotated scans of a run: its cases, and their slices in the run's frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.load import train_and_validation
from midlineshift_training.datasets.annotated_slices import AnnotatedSlices, cut_slices
from midlineshift_training.trainers.settings.scan_sets import ScanSetSettings

Settings = TypeVar("Settings", bound=ScanSetSettings)


def annotated_cases(settings: Settings) -> tuple[Settings, list[AnnotatedCase], list[AnnotatedCase]]:
    """Load the cases that a run's settings name.

    Returns:
        The settings with the numbers of cases, cases to train on, cases to validate with.
    """
    cases, held_out = train_and_validation(
        [Path(path) for path in settings.data],
        [Path(path) for path in settings.validation_data or ()],
        settings.spacing,
        settings.seed,
    )
    numbers = {"cases": len(cases), "validation_cases": len(held_out), "held_out": [case.name for case in held_out]}
    return settings | numbers, cases, held_out


def cut_cases(
    cases: Sequence[AnnotatedCase],
    settings: ScanSetSettings,
    size: int,
    pixel_mm: float,
    cohort: str = "all",
    cache: Path | None = None,
) -> AnnotatedSlices:
    """Cut the slices of the cases in the run's frame, on ``size`` points of ``pixel_mm`` frame millimetres."""
    s = settings
    frame = (size, pixel_mm, s.frame_mm, s.frame)
    return cut_slices(cases, *frame, s.slices, s.heights_mm, s.non_mls_below_mm, cohort, cache)

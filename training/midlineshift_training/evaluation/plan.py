"""Which cases an evaluation measures, and in what ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.scan_files import scan_paths
from midlineshift_training.evaluation.groups import load_seen, seen_groups
from midlineshift_training.evaluation.jobs import LABELLED, NO_READING, PHANTOMS, READINGS, SIZES, Job
from midlineshift_training.evaluation.truth import labelled_truth
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.reporting.case_name import case_name


@dataclass(frozen=True)
class Plan:
    """What an evaluation measures; see the options of ``midlineshift-train evaluate``."""

    model: str | None = None
    phantoms: Path | None = None
    first: int = 0
    scans: Path | None = None
    readings: Path | None = None
    seen: Path | None = None
    compare: Mapping[str, str] = field(default_factory=dict)
    warps_per_case: int = 4
    robustness_cases: int = 12
    seed: int = 0
    workers: int = 1
    cluster: str | None = None
    labelled: Path | None = None
    split: str = "test"
    spacing: tuple[float, float, float] | None = None
    targets: Path | None = None


def plan_jobs(plan: Plan, readers: Mapping[str, list[dict]]) -> list[Job]:
    """List every case once, phantoms first.

    Raises:
        InputError: nothing to measure, or a reading or a seen scan that is not there.
    """
    jobs = []
    if plan.phantoms:
        files = phantom_files(plan.phantoms)[plan.first :]
        if not files:
            raise InputError(f"{plan.phantoms} holds no phantom from number {plan.first} on.", "no-data")
        jobs += [Job(PHANTOMS, path, path.stem, seed=plan.seed) for path in files]
    if plan.scans:
        paths = scan_paths(plan.scans)
        names = [case_name(path) for path in paths]
        seen = load_seen(plan.seen) if plan.seen else None
        for what, known in (("readings", readers.keys()), ("seen scans", seen or ())):
            absent = sorted(set(known) - set(names))
            if absent:
                raise InputError(
                    f"The {what} name {', '.join(absent)}, not among the scans of {plan.scans}.", "no-scans"
                )
        altered = _evenly_spaced(len(paths), plan.robustness_cases)
        for number, (path, name) in enumerate(zip(paths, names, strict=True)):
            rows = tuple(readers.get(name, ()))
            jobs.append(
                Job(
                    READINGS if rows else NO_READING,
                    path,
                    name,
                    rows,
                    seen_groups(name, seen),
                    warps=0 if rows else plan.warps_per_case,
                    alter=number in altered,
                    seed=plan.seed,
                )
            )
    if plan.labelled:
        jobs += _labelled_jobs(plan)
    if not jobs:
        raise InputError("Give --phantoms, --scans, --set, or several.", "usage")
    return jobs


def _labelled_jobs(plan: Plan) -> list[Job]:
    """List the cases of an annotated data set, of one split or of all."""
    cases = load_dataset(plan.labelled, plan.spacing)
    chosen = [case for case in cases if plan.split == "all" or case.split in (plan.split, None)]
    if not chosen:
        raise InputError(f"{plan.labelled} has no case of the split {plan.split!r}; give --split all.", "no-data")
    jobs = []
    for case in chosen:
        truth = labelled_truth(case)
        # 0 has no side to be wrong
        name = NO_READING if truth is None else LABELLED if case.landmarks or truth == 0 else SIZES
        jobs.append(Job(name, case.path, case.name, seed=plan.seed, labels=case))
    return jobs


def _evenly_spaced(count: int, chosen: int) -> set[int]:
    """Return ``chosen`` numbers below ``count``, evenly spaced."""
    chosen = min(count, chosen)
    return {(2 * k + 1) * count // (2 * chosen) for k in range(chosen)}

"""Which cases an evaluation measures, and in what ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from midlineshift_training.datasets.annotated.case import AnnotatedCase
from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.scan_files import scan_paths
from midlineshift_training.evaluation.case_tables import key_of, load_reads, load_sizes
from midlineshift_training.evaluation.groups import load_seen, seen_groups
from midlineshift_training.evaluation.jobs import (
    CASE_SIZES,
    LABELLED,
    NO_READING,
    PHANTOMS,
    READINGS,
    READS,
    SIZES,
    Job,
)
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
    reads: Path | None = None
    sizes: Path | None = None
    fold_models: Path | None = None


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
    cases = load_dataset(plan.labelled, plan.spacing) if plan.labelled else []
    folds = {case.name: case.fold for case in cases if case.fold is not None} if plan.fold_models else {}
    if plan.scans:
        jobs += _scan_jobs(plan, plan.scans, readers, folds)
    if plan.labelled:
        jobs += _labelled_jobs(plan, cases, folds)
    if not jobs:
        raise InputError("Give --phantoms, --scans, --set, or several.", "usage")
    return jobs


def find_fold_models(plan: Plan, jobs: Sequence[Job]) -> dict[int, str]:
    """Return the folder of every fold's model; none where no cross-validation is wanted.

    Raises:
        InputError: no case has a fold, or a fold has no model.
    """
    if plan.fold_models is None:
        return {}
    folds = sorted({job.fold for job in jobs if job.fold is not None})
    if not folds:
        raise InputError("--fold-models needs a --set whose cases have folds.", "usage")
    found = {fold: plan.fold_models.resolve() / str(fold) for fold in folds}
    for fold, folder in found.items():
        if not folder.is_dir():
            raise InputError(f"{plan.fold_models} holds no model '{fold}' for fold {fold}.", "no-model")
    return {fold: str(folder) for fold, folder in found.items()}


def _scan_jobs(plan: Plan, folder: Path, readers: Mapping[str, list[dict]], folds: Mapping[str, int]) -> list[Job]:
    """List the scans of a folder, each with what the tables say of it."""
    paths = scan_paths(folder)
    names = [case_name(path) for path in paths]
    seen = load_seen(plan.seen) if plan.seen else None
    for what, wanted in (("readings", set(readers)), ("seen scans", set(seen or ()))):
        absent = sorted(wanted - set(names))
        if absent:
            raise InputError(f"The {what} name {', '.join(absent)}, not among the scans of {folder}.", "no-scans")
    reads = load_reads(plan.reads) if plan.reads else {}
    sizes = load_sizes(plan.sizes) if plan.sizes else {}
    for table, cases in ((plan.reads, set(reads)), (plan.sizes, set(sizes))):
        found = [name for name in names if key_of(name) in cases]
        if table and not found:
            raise InputError(f"{table} names none of the scans of {folder}.", "no-scans")
        keys = [key_of(name) for name in found]
        alike = [name for name in found if keys.count(key_of(name)) > 1]
        if alike:
            raise InputError(f"The scans {', '.join(alike)} are one name to {table}; rename all but one.", "no-scans")
    altered = _evenly_spaced(len(paths), plan.robustness_cases)
    jobs = []
    for number, (path, name) in enumerate(zip(paths, names, strict=True)):
        rows, size = tuple(readers.get(name, ())), sizes.get(key_of(name))
        in_set = (
            READINGS if rows else CASE_SIZES if size is not None else READS if key_of(name) in reads else NO_READING
        )
        # only scans that nothing is known of count as unshifted
        warps = plan.warps_per_case if in_set == NO_READING else 0
        groups = seen_groups(name, seen)
        alter = number in altered
        jobs.append(
            Job(
                in_set,
                path,
                name,
                rows,
                groups,
                warps=warps,
                alter=alter,
                seed=plan.seed,
                size_mm=None if rows else size,
                fold=folds.get(name),
            )
        )
    return jobs


def _labelled_jobs(plan: Plan, cases: Sequence[AnnotatedCase], folds: Mapping[str, int]) -> list[Job]:
    """List the cases of an annotated data set, of one split or of all."""
    chosen = [case for case in cases if plan.split == "all" or case.split in (plan.split, None)]
    if not chosen:
        raise InputError(f"{plan.labelled} has no case of the split {plan.split!r}; give --split all.", "no-data")
    jobs = []
    for case in chosen:
        truth = labelled_truth(case)
        # 0 has no side to be wrong
        name = NO_READING if truth is None else LABELLED if case.landmarks or truth == 0 else SIZES
        jobs.append(Job(name, case.path, case.name, seed=plan.seed, labels=case, fold=folds.get(case.name)))
    return jobs


def _evenly_spaced(count: int, chosen: int) -> set[int]:
    """Return ``chosen`` numbers below ``count``, evenly spaced."""
    chosen = min(count, chosen)
    return {(2 * k + 1) * count // (2 * chosen) for k in range(chosen)}

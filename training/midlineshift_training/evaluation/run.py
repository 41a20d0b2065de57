"""The whole of an evaluation: what to measure, measuring it, summing it up, writing it down."""

from __future__ import annotations

import csv
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.phantoms.files import phantom_files
from midlineshift_training.datasets.scan_files import scan_paths
from midlineshift_training.distributed.map_parallel import check_visible
from midlineshift_training.evaluation.cases import read_readings
from midlineshift_training.evaluation.figures import draw_figures
from midlineshift_training.evaluation.groups import read_seen, seen_groups
from midlineshift_training.evaluation.known_shifts import follow
from midlineshift_training.evaluation.measuring import (
    LABELLED,
    NO_READING,
    PHANTOMS,
    READINGS,
    SIZES,
    THIS_MODEL,
    CaseReport,
    Job,
    Reading,
    labelled_truth,
    reports,
)
from midlineshift_training.evaluation.robustness import steadiness
from midlineshift_training.evaluation.summary import summarise
from midlineshift_training.evaluation.tables import full_text, short_text
from midlineshift_training.evaluation.targets import judge
from midlineshift_training.evaluation.worst_phantoms import draw_worst
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.software import software

FORMAT = "midlineshift-evaluation/1"
FIGURES = "figures"
CASE_COLUMNS = (
    "set", "case", "model", "truth_mm", "measured_mm", "low_mm", "high_mm", "p_over_5mm", "authors_mm", "slice", "refused",
    "flags", "groups", "seconds",
)  # fmt: skip
SLICE_COLUMNS = ("set", "case", "model", "slice", "truth_mm", "measured_mm")
WARP_COLUMNS = ("case", "amplitude_mm", "change_mm", "refused")
CHANGE_COLUMNS = ("alteration", "case", "change_mm", "refused")


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


def plan_jobs(plan: Plan, readers: Mapping[str, list[dict]]) -> list[Job]:
    """Every case once, phantoms first.

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
        seen = read_seen(plan.seen) if plan.seen else None
        for what, known in (("readings", readers.keys()), ("seen scans", seen or ())):
            absent = sorted(set(known) - set(names))
            if absent:
                raise InputError(
                    f"The {what} name {', '.join(absent)}, not among the scans of {plan.scans}.", "no-scans"
                )
        altered = _spread(len(paths), plan.robustness_cases)
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
    """Cases of a set with sparse landmarks, of one split or of all."""
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


def _spread(count: int, chosen: int) -> set[int]:
    """``chosen`` numbers below ``count``, evenly spread."""
    chosen = min(count, chosen)
    return {(2 * k + 1) * count // (2 * chosen) for k in range(chosen)}


def run(plan: Plan, out: Path) -> dict:
    """Measure, sum up, and write the folder ``out``; files of an older evaluation in it are replaced at the end.

    Returns:
        The contents of ``evaluation.json``.

    Raises:
        InputError: something given cannot be used, or ``out`` cannot be written.
    """
    if not plan.scans and (plan.readings or plan.seen):
        raise InputError("--readings and --seen tell of scans; give --scans, too.", "usage")
    if THIS_MODEL in plan.compare:
        raise InputError(f"A compared model cannot be called {THIS_MODEL!r}.", "usage")
    if plan.cluster:
        shared = {n: path.resolve() for n in ("phantoms", "scans", "labelled") if (path := getattr(plan, n))}
        plan = replace(plan, **shared)
    readers = read_readings(plan.readings) if plan.readings else {}
    jobs = plan_jobs(plan, readers)
    models = {name: _found(model) for name, model in {THIS_MODEL: plan.model, **plan.compare}.items()}
    check_visible(plan.cluster, [path for path in (plan.phantoms, plan.scans, plan.labelled) if path])
    described = {name: load_model(folder, "cpu") for name, folder in models.items()}
    partial = _writable(out)
    try:
        done = list(tqdm(reports(jobs, models, plan.workers, plan.cluster), total=len(jobs), desc="cases", unit="case"))
        readings = [r for one in done for r in one.readings]
        if not readings:
            raise InputError("None of the phantoms shows a midline; make them again.", "no-data")
        evaluation = sum_up(done, readers, plan.seed) | {
            "model": described[THIS_MODEL].provenance,
            "compared": {name: described[name].provenance for name in plan.compare},
            "software": software(),
            "seed": plan.seed,
            "without_truth": sum(not one.readings for one in done),
            "seen": sorted(read_seen(plan.seen)) if plan.seen else None,
        }
        _write_tables(partial, evaluation, done)
        figures = partial / FIGURES
        figures.mkdir()
        own = [r for r in readings if r.model == THIS_MODEL]
        warps, changes = _rows(done)
        evaluation["figures"] = draw_figures(own, warps, changes, evaluation, figures)
        if plan.phantoms:
            worst = draw_worst(evaluation["worst"], plan.phantoms, described[THIS_MODEL], figures)
            evaluation["figures"] |= worst
        text = json.dumps(_finite(evaluation), indent=1, allow_nan=False) + "\n"
        (partial / "evaluation.json").write_text(text, encoding="utf-8")
        _move(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return evaluation


def _found(model: str | None) -> str | None:
    """A model folder by its whole path, which other machines need; names of shipped models as they are."""
    return str(Path(model).resolve()) if model and Path(model).is_dir() else model


def sum_up(done: list[CaseReport], readers: Mapping[str, list[dict]], seed: int) -> dict:
    """Numbers of all cases: ``summarise``, ``known_shifts``, ``robustness`` and ``targets``."""
    warps, changes = _rows(done)
    result: dict[str, Any] = {"format": FORMAT, "research_use_only": True}
    result |= summarise([r for one in done for r in one.readings], readers, seed)
    if warps:
        result["known_shifts"] = follow(warps, seed)
    if changes:
        result["robustness"] = steadiness(changes, seed)
    return result | {"targets": judge(result)}


def _rows(done: list[CaseReport]) -> tuple[list[dict], list[dict]]:
    return [row for one in done for row in one.warps], [row for one in done for row in one.changes]


def _writable(out: Path) -> Path:
    """An empty folder beside the results, on the same disk. InputError if ``out`` cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".partial.", dir=out))
    except OSError as error:
        raise InputError(f"Cannot write into {out} ({error.strerror}); choose another --out.", "out") from None


def _write_tables(folder: Path, evaluation: dict, done: list[CaseReport]) -> None:
    (folder / "table.md").write_text(full_text(evaluation), encoding="utf-8")
    (folder / "short.md").write_text(short_text(evaluation), encoding="utf-8")
    readings = [r for one in done for r in one.readings]
    warps, changes = _rows(done)
    _write_csv(folder / "cases.csv", CASE_COLUMNS, map(_case_row, readings))
    _write_csv(folder / "slices.csv", SLICE_COLUMNS, (row for r in readings for row in _slice_rows(r)))
    _write_csv(folder / "known_shifts.csv", WARP_COLUMNS, warps)
    _write_csv(folder / "changes.csv", CHANGE_COLUMNS, changes)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _case_row(r: Reading) -> dict:
    low, high = r.interval_mm or (None, None)
    groups = "; ".join(f"{by}: {', '.join(names)}" for by, names in r.groups.items())
    named = {name: getattr(r, name) for name in CASE_COLUMNS if name not in ("low_mm", "high_mm", "groups")}
    return named | {"low_mm": low, "high_mm": high, "groups": groups}


def _slice_rows(r: Reading) -> Iterable[dict]:
    for index, truth, measured in r.slices:
        yield dict(zip(SLICE_COLUMNS, (r.set, r.case, r.model, index, truth, measured), strict=True))


def _finite(value: Any) -> Any:
    """JSON has no NaN: a statistic that does not exist is null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _move(partial: Path, out: Path) -> None:
    """The finished files onto those of an older evaluation; ``evaluation.json``, which speaks of the others, last."""
    shutil.rmtree(out / FIGURES, ignore_errors=True)
    for path in sorted(partial.iterdir(), key=lambda path: path.name == "evaluation.json"):
        path.replace(out / path.name)

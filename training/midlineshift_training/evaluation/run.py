"""The whole of an evaluation: what to measure, measuring it, summing it up, writing it down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from midlineshift_training.datasets.show_progress import show_progress
from midlineshift_training.distributed.map_parallel import check_visible
from midlineshift_training.evaluation.case_tables import load_reads, summarise_reads
from midlineshift_training.evaluation.figures import draw_figures
from midlineshift_training.evaluation.groups import load_seen
from midlineshift_training.evaluation.jobs import THIS_MODEL, CaseResult
from midlineshift_training.evaluation.known_shifts import summarise_known_shifts
from midlineshift_training.evaluation.measure_jobs import measure_jobs
from midlineshift_training.evaluation.output import (
    FIGURES,
    FORMAT,
    finite,
    move_into,
    partial_folder,
    rows_of,
    write_tables,
)
from midlineshift_training.evaluation.plan import Plan, find_fold_models, plan_jobs
from midlineshift_training.evaluation.robustness import summarise_changes
from midlineshift_training.evaluation.summary import summarise
from midlineshift_training.evaluation.targets import Target, judge, load_targets
from midlineshift_training.evaluation.truth import load_readings
from midlineshift_training.evaluation.worst_phantoms import draw_worst
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models import load_model
from MidlineShiftLogic.software import software


def run(plan: Plan, out: Path) -> dict:
    """Measure, sum up, and write the folder ``out``; files of an older evaluation in it are replaced at the end.

    Returns:
        The contents of ``evaluation.json``.

    Raises:
        InputError: something given cannot be used, or ``out`` cannot be written.
    """
    if not plan.scans and (plan.readings or plan.seen or plan.reads or plan.sizes):
        raise InputError("--readings, --reads, --sizes and --seen are about scans; give --scans, too.", "usage")
    if THIS_MODEL in plan.compare:
        raise InputError(f"A compared model cannot be called {THIS_MODEL!r}.", "usage")
    if plan.cluster:
        shared = {
            n: path.resolve() for n in ("phantoms", "scans", "labelled", "fold_models") if (path := getattr(plan, n))
        }
        plan = replace(plan, **shared)
    targets = load_targets(plan.targets) if plan.targets else []
    readers = load_readings(plan.readings) if plan.readings else {}
    jobs = plan_jobs(plan, readers)
    models = {name: _found(model) for name, model in {THIS_MODEL: plan.model, **plan.compare}.items()}
    of_folds = find_fold_models(plan, jobs)
    check_visible(plan.cluster, [path for path in (plan.phantoms, plan.scans, plan.labelled, plan.fold_models) if path])
    described = {name: load_model(folder, "cpu") for name, folder in models.items()}
    with partial_folder(out) as partial:
        found = measure_jobs(jobs, models, plan.workers, plan.cluster, of_folds)
        done = list(show_progress(found, len(jobs), "cases"))
        results = [r for one in done for r in one.results]
        if not results:
            raise InputError("None of the phantoms shows a midline; make them again.", "no-data")
        evaluation = sum_up(done, readers, plan.seed, targets, load_reads(plan.reads) if plan.reads else {}) | {
            "model": described[THIS_MODEL].provenance,
            "compared": {name: described[name].provenance for name in plan.compare},
            "software": software(),
            "seed": plan.seed,
            "without_truth": sum(not one.results for one in done),
            "seen": sorted(load_seen(plan.seen)) if plan.seen else None,
            "folds": [load_model(folder, "cpu").provenance for folder in of_folds.values()],
        }
        write_tables(partial, evaluation, done)
        figures = partial / FIGURES
        figures.mkdir()
        own = [r for r in results if r.model == THIS_MODEL]
        warps, changes = rows_of(done)
        evaluation["figures"] = draw_figures(own, warps, changes, evaluation, figures)
        if plan.phantoms:
            worst = draw_worst(evaluation["worst"], plan.phantoms, described[THIS_MODEL], figures)
            evaluation["figures"] |= worst
        text = json.dumps(finite(evaluation), indent=1, allow_nan=False) + "\n"
        (partial / "evaluation.json").write_text(text, encoding="utf-8")
        move_into(partial, out)
    return evaluation


def _found(model: str | None) -> str | None:
    """Return a model folder by its whole path, which other machines need; names of shipped models as they are."""
    return str(Path(model).resolve()) if model and Path(model).is_dir() else model


def sum_up(
    done: list[CaseResult],
    readers: Mapping[str, list[dict]],
    seed: int,
    targets: Sequence[Target] = (),
    reads: Mapping[str, tuple[bool, ...]] | None = None,
) -> dict:
    """Return the numbers of all cases: ``summarise``; ``reads``, ``known_shifts``, ``robustness`` and ``targets`` if any."""
    warps, changes = rows_of(done)
    result: dict[str, Any] = {"format": FORMAT, "research_use_only": True}
    result |= summarise([r for one in done for r in one.results], readers, seed)
    own = [r for one in done for r in one.results if r.model == THIS_MODEL]
    if reads and (found := summarise_reads(own, reads, seed)):
        result["reads"] = found
    if warps:
        result["known_shifts"] = summarise_known_shifts(warps, seed)
    if changes:
        result["robustness"] = summarise_changes(changes, seed)
    if targets:
        result["targets"] = judge(result, targets)
    return result

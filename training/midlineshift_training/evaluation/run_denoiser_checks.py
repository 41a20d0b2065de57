"""Checks of a model's pseudo-healthy image over phantoms with twins and named scans, and what they come to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from midlineshift_training.datasets.phantoms.files import phantom_files, phantom_scan
from midlineshift_training.datasets.scan_files import scan_paths
from midlineshift_training.evaluation.denoiser_checks import (
    LEAST_SHIFT_MM,
    DenoiserCheck,
    KnownTwin,
    check_denoiser,
    columns,
    judge,
)
from MidlineShiftLogic.errors import InputError, MidlineShiftError
from MidlineShiftLogic.headct import read
from MidlineShiftLogic.models.folder import Model, check_denoisers
from MidlineShiftLogic.reporting.case_name import case_name
from MidlineShiftLogic.text import counted


@dataclass(frozen=True)
class DenoiserPlan:
    """What to check.

    Attributes:
        phantoms: folder of phantoms made with twins; the first is number ``first``, of which ``cases`` are taken.
        scans: folder of scans. shifted, unshifted: names of those to take.
    """

    phantoms: Path | None = None
    first: int = 0
    cases: int = 12
    scans: Path | None = None
    shifted: Sequence[str] = ()
    unshifted: Sequence[str] = ()


def run_denoiser_checks(model: Model, plan: DenoiserPlan, out: Path) -> dict[str, Any]:
    """Check a model's pseudo-healthy image and write ``denoiser.json``, ``denoiser.csv`` and ``accuracy.json``.

    Args:
        model: with denoisers. plan: the heads. out: folder for the files; made if missing.

    Returns:
        What ``judge`` says, with the model and the number of cases.

    Raises:
        InputError: no denoisers, nothing to check, or a scan that is not there.
    """
    check_denoisers(model)
    if not plan.phantoms and not plan.scans:
        raise InputError("Give --phantoms made with twins, or --scans with --shifted or --unshifted.", "usage")
    checks = [*_of_phantoms(model, plan), *_of_scans(model, plan)]
    if not checks:
        raise InputError("No head could be checked: no phantom has a twin, or every scan was refused.", "no-data")
    result = {"model": model.provenance, "noise": model.noise, "cases": len(checks), **judge(checks)}
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "denoiser.json", result)
    _write(out / "accuracy.json", {"pseudo_healthy": {"passed": result["passed"], **result["figures"]}})
    with (out / "denoiser.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns())
        writer.writeheader()
        writer.writerows(one.row() for one in checks)
    return result


def table(result: dict[str, Any]) -> str:
    """Return the figures against their limits, as text."""
    lines = []
    for name, value in result["figures"].items():
        limit = result["limits"].get(name)
        verdict = "" if limit is None else f"  {'at least' if name == 'ssim' else 'at most'} {limit:g}: "
        verdict += "" if limit is None else ("kept" if result["kept"][name] else "NOT kept")
        lines.append(f"{name:22s} {'-' if value is None else format(value, '.3f')}{verdict}")
    outcome = (
        "passed" if result["passed"] else "NOT passed: the pseudo-healthy image is not to be shown as if it worked"
    )
    return "\n".join([*lines, f"{counted(result['cases'], 'head')}; {outcome}"])


def _of_phantoms(model: Model, plan: DenoiserPlan) -> Iterator[DenoiserCheck]:
    files = phantom_files(plan.phantoms)[plan.first : plan.first + plan.cases] if plan.phantoms else []
    for path in tqdm(files, desc="phantoms", unit="case", disable=None):
        ct, entries = phantom_scan(path)
        if "twin_hu" not in entries:
            continue
        # phantoms of earlier versions have the opened twin only, with noise
        names = ("clean_twin_hu", "clean_hu", "clean_straight_hu")
        names = names if names[-1] in entries else ("twin_hu", "hu", "twin_hu")
        hu, shifted_hu, straight_hu = (entries[one].astype(np.float32) for one in names)
        twin = KnownTwin(
            hu=hu,
            shifted_hu=shifted_hu,
            straight_hu=straight_hu,
            line_angle=float(entries["line_angle"]),
            line_offset=np.asarray(entries["line_offset"], float),
        )
        shifted = abs(float(entries["case_shift_mm"])) >= LEAST_SHIFT_MM
        try:
            yield check_denoiser(path.stem, ct, model, shifted, twin)
        except MidlineShiftError:
            continue


def _of_scans(model: Model, plan: DenoiserPlan) -> Iterator[DenoiserCheck]:
    paths = {case_name(path): path for path in scan_paths(plan.scans)} if plan.scans else {}
    wanted = [(name, True) for name in plan.shifted] + [(name, False) for name in plan.unshifted]
    missing = [name for name, _ in wanted if name not in paths]
    if missing:
        raise InputError(f"There is no scan {missing[0]} in {plan.scans}.", "no-scans")
    for name, shifted in tqdm(wanted, desc="scans", unit="case", disable=None):
        try:
            yield check_denoiser(name, read(paths[name]), model, shifted)
        except MidlineShiftError:
            continue


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""Paired differences of the arms of ``diffusion_protocol.py``, with intervals by bootstrap over patients.

``python Testing/benchmarks/diffusion_table.py --work WORK --set SET --readings READINGS.csv`` prints a Markdown table: error
of each arm, and by how much it is larger than that of the arm without diffusion. Only folds that every arm has finished count.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.evaluation import bootstrap
from midlineshift_training.evaluation.truth import load_readings
from MidlineShiftLogic.measurement.distance import signed_shift

SURE = 0.7
"""Least confidence of the readings that count: those of high and medium confidence."""
LARGE_MM = 3.0

Errors = dict[tuple[str, str], float]
"""(patient, item) -> absolute error, mm."""


def slice_truth(dataset: Path) -> dict[str, dict[int, float]]:
    """Signed shift (mm) that readers found, by case and slice, where they were sure enough."""
    truth = {}
    for case in load_dataset(dataset):
        row_mm, column_mm = case.pixel_spacing
        mm = np.array([column_mm, row_mm])
        for index, points in case.landmarks.items():
            details = case.details.get(index)
            if details is None or details.confidence >= SURE:
                anterior, posterior, shifted, _ = np.asarray(points) * mm
                value = signed_shift(anterior, posterior, shifted, np.array([1.0, 0.0]))
                truth.setdefault(case.name, {})[index] = float(value)
    return truth


def errors_of(results: list[dict], truth: dict, readings: dict) -> dict[str, Errors]:
    """Absolute errors of one arm by kind of check."""
    found: dict[str, Errors] = {
        "slices": {},
        "slices of 3 mm or more": {},
        "readings": {},
        "phantoms": {},
        "known shifts": {},
    }
    for result in results:
        for case, row in result["scans"].items():
            for index, value in truth.get(case, {}).items():
                if str(index) in row["slices"]:
                    error = abs(row["slices"][str(index)] - value)
                    found["slices"][case, str(index)] = error
                    if abs(value) >= LARGE_MM:
                        found["slices of 3 mm or more"][case, str(index)] = error
            if case in readings and row["shift_mm"] is not None:
                mean = np.mean([one["shift_mm"] for one in readings[case]])
                found["readings"][case, ""] = abs(row["shift_mm"] - mean)
        for case, row in result["phantoms"].items():
            if row["shift_mm"] is not None and row["truth_mm"] is not None:
                found["phantoms"][case, ""] = abs(row["shift_mm"] - row["truth_mm"])
        for row in result["known"]:
            if row["change_mm"] is not None:
                name = f"{row['amplitude_mm']:.2f}"
                found["known shifts"][row["case"], name] = abs(row["change_mm"] - row["amplitude_mm"])
    return found


def compare(one: Errors, other: Errors) -> dict[str, float]:
    """Mean error of both where both have one, and the mean of their difference with its 95 % interval."""
    shared = sorted(one.keys() & other.keys())
    a, b = (np.array([errors[key] for key in shared]) for errors in (one, other))
    weights = bootstrap.draw_weights(np.array([patient for patient, _ in shared]))
    difference = bootstrap.interval(bootstrap.mean(weights, a - b))
    return {"count": len(shared), "mean": float(a.mean()), "other": float(b.mean()), **difference}


def table(arms: dict[str, dict[str, Errors]], base: str) -> str:
    """Markdown: a row for each check, a column for each arm."""
    others = [name for name in arms if name != base]
    lines = [f"| error, mm | {base} | {' | '.join(others)} |", "|---|---|" + "---|" * len(others)]
    for kind, errors in arms[base].items():
        if not errors:
            continue
        cells = []
        for name in others:
            if not arms[name][kind]:
                cells.append("-")
                continue
            c = compare(arms[name][kind], errors)
            around = f" ({c['low']:+.2f} to {c['high']:+.2f})" if "low" in c else ""
            cells.append(f"{c['mean']:.2f}: {c['value']:+.3f}{around}")
        lines.append(f"| {kind} ({len(errors)}) | {np.mean(list(errors.values())):.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.option("--work", required=True, type=click.Path(path_type=Path))
@click.option("--set", "dataset", required=True, type=click.Path(path_type=Path))
@click.option("--readings", required=True, type=click.Path(path_type=Path))
@click.option("--arm", "names", multiple=True, default=["start", "none", "input", "image", "both"])
@click.option("--base", default="none")
def main(work, dataset, readings, names, base):
    """Print the table."""
    folds = set.intersection(*({path.suffixes[0] for path in work.glob(f"{name}.*.json")} for name in names))
    truth, read = slice_truth(dataset), load_readings(readings)
    arms = {}
    for name in names:
        results = [json.loads((work / f"{name}{fold}.json").read_text()) for fold in sorted(folds)]
        arms[name] = errors_of(results, truth, read)
    click.echo(f"{len(folds)} folds\n\n{table(arms, base)}")


if __name__ == "__main__":
    main()

"""``midlineshift-train evaluate``: measure phantoms and real scans and tell how well the numbers agree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

COLUMNS = ("set", "case", "truth_mm", "measured_mm", "slice", "refused", "flags", "seconds")


def _measure(ct, model, name) -> dict:
    from MidlineShiftLogic.api import measure_case

    m = measure_case(ct, lambda: (model, "cpu"), case_id=name).measurement
    return {
        "case": name,
        "measured_mm": m.signed_shift_mm,
        "slice": m.slice,
        "refused": (m.refused or {}).get("code", ""),
        "flags": " ".join(q.code for q in m.quality if q.severity != "info"),
        "seconds": round(m.seconds, 2),
    }


def _phantoms(folder, model, first, settings):
    from midlineshift_training.cohorts.phantom_store import phantom_files
    from midlineshift_training.evaluation.cases import phantom_scan, phantom_truth

    for path in tqdm(phantom_files(folder)[first:], desc="phantoms"):
        ct, q = phantom_scan(path)
        truth = phantom_truth(q, settings)
        if truth is not None:
            yield {"set": "phantoms", "truth_mm": truth} | _measure(ct, model, path.stem)


def _scans(folder, readings, model):
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.presentation.case_name import case_name

    paths = sorted(p for p in Path(folder).iterdir() if p.name.endswith((".nii", ".nii.gz", ".nrrd", ".mha")))
    if not paths:
        raise InputError(f"No scans (.nii.gz, .nrrd, .mha) in {folder}.", "no-scans")
    for path in tqdm(paths, desc="scans"):
        name = case_name(path)
        rows = readings.get(name)
        truth = float(np.mean([r["shift_mm"] for r in rows])) if rows else None
        kind = "readings" if rows else "no reading"
        yield {"set": kind, "truth_mm": truth} | _measure(path, model, name)


def summarise(rows: list[dict], readings: dict) -> dict:
    """Agreement per set; refused cases are counted, not measured."""
    from midlineshift_training.evaluation.agreement import agreement

    result = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        done = [row for row in mine if row["measured_mm"] is not None]
        summary = {"cases": len(mine), "refused": len(mine) - len(done)}
        if done and done[0]["truth_mm"] is not None:
            truth = np.array([row["truth_mm"] for row in done])
            measured = np.array([row["measured_mm"] for row in done])
            summary |= agreement(measured, truth)
            # what a method that always says zero would get on the same cases
            summary["always_zero_mae"] = float(np.abs(truth).mean())
            unshifted = np.abs(truth) < 1.0
            if unshifted.any():
                summary["unshifted_median_reading"] = float(np.median(np.abs(measured[unshifted])))
        elif done:
            size = np.abs([row["measured_mm"] for row in done])
            summary |= {
                "median_reading": float(np.median(size)),
                "largest_reading": float(size.max()),
                "at_least_3_mm": int((size >= 3).sum()),
            }
        result[name] = summary
    pairs = [[r["shift_mm"] for r in rows] for rows in readings.values() if len(rows) == 2]
    if pairs:
        result["readers among themselves"] = agreement(*np.array(pairs).T)
    return result


def table(summary: dict) -> str:
    """The summary as a Markdown table."""
    lines = [
        "| set | n | refused | MAE mm (95 %) | bias | ICC | slope | side >=3 mm | median, largest reading |",
        "|" + "---|" * 9,
    ]
    for name, s in summary.items():
        value = lambda key, s=s: f"{s[key]['value']:.2f}" if key in s else "-"  # noqa: E731
        mae = s.get("mae")
        interval = f"{mae['value']:.2f} ({mae['low']:.2f}-{mae['high']:.2f})" if mae and "low" in mae else value("mae")
        slope = f"{s['slope']:.2f}" if "slope" in s else "-"
        side = f"{s['side_right']}/{s['side_cases']}" if "side_cases" in s else "-"
        reading = f"{s['median_reading']:.2f}, {s['largest_reading']:.2f}" if "median_reading" in s else "-"
        count, refused = s.get("cases", s.get("n", 0)), s.get("refused", 0)
        lines.append(
            f"| {name} | {count} | {refused} | {interval} | {value('bias')} | {value('icc')} | {slope} | {side} | {reading} |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--model", help="Model name or folder; the default model if not given.")
@click.option("--phantoms", type=click.Path(path_type=Path), help="Folder of phantoms that training never saw.")
@click.option("--first", default=0, help="Number of the first phantom to use.")
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of real scans.")
@click.option("--readings", type=click.Path(path_type=Path), help="CSV of readers' numbers for the scans.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for evaluation.json, cases.csv, table.md."
)
def evaluate(model, phantoms, first, scans, readings, out):
    """Measure phantoms and scans, and tell how well the numbers agree with the truth or the readers."""
    from midlineshift_training.evaluation.cases import read_readings
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.measurement.readout import ReadoutSettings
    from MidlineShiftLogic.models import load_model

    if not phantoms and not scans:
        raise InputError("Give --phantoms, --scans, or both.", "usage")
    loaded = load_model(model, "cpu")
    known = read_readings(readings) if readings else {}
    rows = []
    if phantoms:
        rows += _phantoms(phantoms, loaded, first, ReadoutSettings(**loaded.readout))
    if scans:
        rows += _scans(scans, known, loaded)
    summary = summarise(rows, known)
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps({"model": loaded.provenance, "summary": summary}, indent=2))
    with open(out / "cases.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (out / "table.md").write_text(table(summary) + "\n")
    click.echo(table(summary))

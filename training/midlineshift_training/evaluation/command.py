"""``midlineshift-train evaluate``: measure phantoms and real scans and tell how well the numbers agree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
COLUMNS = ("set", "case", "truth_mm", "measured_mm", "slice", "refused", "flags", "seconds")


def _measure(ct, model, name) -> dict:
    """Row of one case that was read."""
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


def _unread(error, name) -> dict:
    """Row of a scan that cannot be read: it counts as refused, with the error's code."""
    return {"case": name, "measured_mm": None, "slice": None, "refused": error.code, "flags": "", "seconds": 0.0}


def _phantoms(folder, model, first, settings):
    from midlineshift_training.cohorts.phantom_store import phantom_files
    from midlineshift_training.evaluation.cases import phantom_scan, phantom_truth

    for path in tqdm(phantom_files(folder)[first:], desc="phantoms"):
        ct, q = phantom_scan(path)
        truth = phantom_truth(q, settings)
        if truth is not None:
            yield {"set": "phantoms", "truth_mm": truth} | _measure(ct, model, path.stem)


def scan_paths(folder: Path) -> list[Path]:
    """Scan files of a folder and its sub-folders (DICOM series); ``.npy`` carries no spacing and is left out.

    Raises:
        InputError: no such folder, or nothing in it.
    """
    from MidlineShiftLogic.errors import InputError

    if not folder.is_dir():
        raise InputError(f"There is no folder of scans {folder}.", "no-scans")
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    paths = [path for path in visible if path.is_dir() or path.name.lower().endswith(ENDINGS)]
    if not paths:
        raise InputError(f"No scans ({', '.join(ENDINGS)}, DICOM folders) in {folder}.", "no-scans")
    return paths


def _scans(folder, readings, model):
    from MidlineShiftLogic.errors import MidlineShiftError
    from MidlineShiftLogic.headct import read
    from MidlineShiftLogic.presentation.case_name import case_name

    for path in tqdm(scan_paths(folder), desc="scans"):
        name = case_name(path)
        rows = readings.get(name)
        truth = float(np.mean([r["shift_mm"] for r in rows])) if rows else None
        kind = "readings" if rows else "no reading"
        try:
            ct = read(path)
        except MidlineShiftError as error:
            yield {"set": kind, "truth_mm": truth} | _unread(error, name)
        else:
            yield {"set": kind, "truth_mm": truth} | _measure(ct, model, name)


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
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of scans: files, or sub-folders of DICOM.")
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
    from MidlineShiftLogic.models.parameters import parameters

    if not phantoms and not scans:
        raise InputError("Give --phantoms, --scans, or both.", "usage")
    loaded = load_model(model, "cpu")
    settings = parameters(ReadoutSettings, loaded.readout, "'readout' of model.json")
    known = read_readings(readings) if readings else {}
    rows = []
    if phantoms:
        rows += _phantoms(phantoms, loaded, first, settings)
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

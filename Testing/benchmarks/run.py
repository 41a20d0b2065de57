"""How quick measuring is: one command that prints the table, writes the figures as JSON, and puts them into the page on speed.

``python Testing/benchmarks/run.py [--short] [--json FILE] [--document]``. Times say something only on a machine that does
nothing else; the table says so if that was not the case. ``--short`` only shows that everything runs.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import gpu
import machine
import table
from contention import beside_busy
from growth import by_cases, by_slices, by_workers
from processes import in_turn, measure, medians
from scans import bench_scan, write_dicom, write_nifti

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "speed.md"
FURTHER = 4


@click.command()
@click.option("--short", is_flag=True, help="Small and once: shows that it runs, not how quick it is.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write the figures here.")
@click.option("--document", is_flag=True, help="Put the table into docs/explanation/speed.md between its markers.")
@click.option("--repeats", default=5, show_default=True, help="Of what is repeated.")
@click.option("--many", default=25, show_default=True, help="Cases of the longest command.")
@click.option(
    "--whole", is_flag=True, help="Run the authors' way on all its slices (minutes a repetition without a GPU)."
)
def main(short: bool, json_file: Path | None, document: bool, repeats: int, many: int, whole: bool) -> None:
    """Measure speed and memory, ours against the way of Gong et al."""
    if short and document:
        raise click.UsageError("The short form says nothing that belongs into the page on speed.")
    figures = collect(short, repeats, many, whole)
    text = table.markdown(figures)
    click.echo(text)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if document:
        table.put_into(DOCUMENT, text)


def collect(short: bool = False, repeats: int = 5, many: int = 25, whole: bool = False) -> dict:
    """All figures of one run, JSON-ready."""
    import torch

    slices, pixels = (20, 128) if short else (30, 512)
    repeats = 1 if short else repeats
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    figures = {
        "short": short,
        "repeats": repeats,
        "device": device,
        "machine": machine.describe(),
        "scan": f"the shifted sample as {slices} slices of {pixels} x {pixels} pixels with noise",
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        said("writing scans")
        ct = bench_scan(slices, pixels)
        nifti = write_nifti(ct, folder / "scan.nii.gz")
        dicom = write_dicom(ct, folder / "dicom")
        said("whole processes")
        figures["processes"] = whole_processes(nifti, dicom, folder, repeats, 1 if short else FURTHER)
        said("more slices")
        figures["slices"] = by_slices(folder, (10,) if short else (10, 30, 100, 300, 600), pixels)
        said("more cases")
        figures["cases"] = by_cases(nifti, folder, (3,) if short else (1, 5, many))
        said("more workers")
        numbers = (2,) if short else tuple(sorted({1, 2, machine.cores()}))
        figures["workers"] = by_workers(nifti, folder, numbers, 2 if short else 8)
        said("beside busy processes")
        figures["contention"] = beside_busy(nifti, folder, (0,) if short else (0, 1, 4), repeats)
    import authors  # from here on torch works in this process too

    said("arithmetic")
    figures["arithmetic"] = authors.arithmetic(ct)
    said("ours and the authors' way in turn")
    figures["pair"] = authors.paired_times(ct, device, repeats, whole, 64 if short else authors.PIXELS)
    said("GPU")
    figures["gpu"] = gpu.warm_case(ct) if torch.cuda.is_available() else None
    return figures


def whole_processes(nifti: Path, dicom: Path, folder: Path, repeats: int, further: int) -> dict:
    """Medians of cold processes, and what a further case in the same process adds."""
    runs = in_turn(
        {
            "one case, NIfTI": lambda: measure([nifti], folder),
            "one case, DICOM folder": lambda: measure([dicom], folder),
            "more": lambda: measure([nifti] * (1 + further), folder),
        },
        repeats,
    )
    more, one = runs.pop("more"), runs["one case, NIfTI"]
    rows = {name: medians(each) for name, each in runs.items()}
    rows["each further case of the same command"] = {
        key: round(
            float(np.median([(getattr(m, key) - getattr(o, key)) / further for m, o in zip(more, one, strict=True)])), 3
        )
        for key in ("wall_s", "cpu_s")
    } | {"peak_mb": None}
    return rows


def said(what: str) -> None:
    """Where it stands, on stderr."""
    click.echo(f"{time.strftime('%H:%M:%S')} {what}", err=True)


if __name__ == "__main__":
    main()

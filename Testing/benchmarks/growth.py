"""How time and memory grow: slices of a scan, cases of a command, workers."""

from __future__ import annotations

from pathlib import Path

from processes import Run, measure
from scans import bench_scan, write_nifti

from MidlineShiftLogic.cli.measure import measure as command


def by_slices(folder: Path, slices: tuple[int, ...], pixels: int) -> list[dict]:
    """Whole processes on scans of the same head cut into more and thinner slices (uncompressed NIfTI)."""
    rows = []
    for count in slices:
        path = write_nifti(bench_scan(count, pixels), folder / f"slices_{count}.nii")
        rows.append({"slices": count, **_row(measure([path], folder))})
        path.unlink()
    return rows


def by_cases(scan: Path, folder: Path, cases: tuple[int, ...]) -> list[dict]:
    """Whole processes that measure the same scan once and more often."""
    return [{"cases": count, **_row(measure([scan] * count, folder))} for count in cases]


def by_workers(scan: Path, folder: Path, workers: tuple[int, ...], cases: int) -> list[dict]:
    """Whole commands of ``cases`` cases by numbers of workers; the peak is that of the largest process. Empty where the
    command has no ``--workers``."""
    if not any("--workers" in parameter.opts for parameter in command.params):
        return []
    return [
        {"workers": count, "cases": cases, **_row(measure([scan] * cases, folder, "--workers", str(count)))}
        for count in workers
    ]


def _row(run: Run) -> dict:
    return {"wall_s": round(run.wall_s, 2), "cpu_s": round(run.cpu_s, 2), "peak_mb": run.peak_mb and round(run.peak_mb)}

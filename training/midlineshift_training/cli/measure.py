"""Define ``midlineshift-train measure``: ``midlineshift measure`` for whole cohorts, over many processes and machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from midlineshift_training.cli.parallel_options import parallel_options
from MidlineShiftLogic.text import counted

if TYPE_CHECKING:
    from MidlineShiftLogic.measurement.results import Measurement
    from MidlineShiftLogic.reporting.cohort_summary import CohortSummary


@click.command()
@click.option("--scans", required=True, type=click.Path(path_type=Path), help="Folder of files, or of DICOM folders.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--model", help="Model name or folder; the default model if not given.")
@click.option(
    "--authors-readout", is_flag=True, help="Also report the largest displacement, the number of Gong et al. 2023."
)
@click.option("--fields", is_flag=True, help="Also write fields.npz.")
@click.option("--resume", is_flag=True, help="Keep the results that are there, and measure the other scans.")
@parallel_options
@click.pass_context
def measure(
    ctx: click.Context,
    scans: Path,
    out: Path,
    model: str | None,
    authors_readout: bool,
    fields: bool,
    resume: bool,
    workers: int,
    cluster: str | None,
) -> None:
    """Measure every scan of a folder on CPUs; results are those of 'midlineshift measure'.

    A line a case, its folder under --out, and a row in --out/results.csv; the exit code is the worst of the cases'
    (1, 2, 3, 0). Research use only; not a medical device.
    """
    from midlineshift_training.datasets.scan_files import scan_paths
    from midlineshift_training.distributed.measure_cases import measure_scans
    from MidlineShiftLogic.batch.measure_case import BatchSettings
    from MidlineShiftLogic.unfinished import remove_if_left_empty

    if model and Path(model).is_dir():
        model = str(Path(model).resolve())
    settings = BatchSettings(out.resolve(), model, "cpu", authors_readout, fields)
    paths = [path.resolve() for path in scan_paths(scans)]
    output = ScanLines(resume)
    try:
        with remove_if_left_empty(settings.out):
            code = measure_scans(paths, settings, output, workers=workers, cluster=cluster, resume=resume)
    finally:
        output.close()
    ctx.exit(code)


class ScanLines:
    """Print a line a scan above a progress bar."""

    def __init__(self, resume: bool):
        self._resume = resume
        self._bar: Any = None

    def selected(self, kept: int, left: int) -> None:
        from tqdm import tqdm

        if self._resume:
            click.echo(f"{counted(kept, 'result')} kept, {counted(left, 'scan')} to measure", err=True)
        self._bar = tqdm(total=left, desc="scans", unit="scan", disable=None)

    def start(self, case: str, number: int, of: int) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...

    def healthy(self, slices: list[int], model: dict, seconds: float, folder: Path) -> None: ...

    def result(self, measurement: Measurement, folder: Path) -> None:
        from MidlineShiftLogic.reporting.formatting import case_line

        self._write(case_line(measurement, folder))

    def error(self, case: str, sentence: str, code: str, exit_code: int) -> None:
        self._write(f"{case}  error: {sentence}")

    def summary(self, summary: CohortSummary, table: Path, of: int) -> None:
        self.close()
        for line in (*summary.lines(), str(table)):
            click.echo(line)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _write(self, line: str) -> None:
        self._bar.write(line)
        self._bar.update()

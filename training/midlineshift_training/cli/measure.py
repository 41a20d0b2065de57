"""``midlineshift-train measure``: ``midlineshift measure`` for whole cohorts, over many processes and machines."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.parallel_options import parallel_options


@click.command()
@click.option("--scans", required=True, type=click.Path(path_type=Path), help="Folder of files, or of DICOM folders.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--model", help="Model name or folder; the default model if not given.")
@click.option("--authors-readout", is_flag=True, help="Also report the read-out of Gong et al. 2023.")
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

    A line a case, and its folder under --out; the exit code is the worst of the cases' (1, 2, 3, 0). Research use only;
    not a medical device.
    """
    from functools import partial

    from tqdm import tqdm

    from midlineshift_training.datasets.scan_files import scan_paths
    from midlineshift_training.distributed.map_parallel import check_visible, map_parallel
    from midlineshift_training.distributed.measure_cases import RESULT, Scan, measure_into
    from midlineshift_training.distributed.model_cache import model_fingerprint
    from MidlineShiftLogic.exit_codes import worst
    from MidlineShiftLogic.reporting.case_folder import remove_stale, result_parent
    from MidlineShiftLogic.reporting.case_name import case_names

    paths = [path.resolve() for path in scan_paths(scans)]
    out = result_parent(out).resolve()
    remove_stale(out)
    if model and Path(model).is_dir():
        model = str(Path(model).resolve())
    fingerprint = model_fingerprint(model)  # a damaged model is told before anything is measured
    check_visible(cluster, [scans.resolve(), out])
    jobs = [Scan(case, path) for case, path in zip(case_names(paths), paths, strict=True)]
    if resume:
        kept = [job for job in jobs if (out / job.case / RESULT).exists()]
        jobs = [job for job in jobs if job not in kept]
        click.echo(f"{len(kept)} results kept, {len(jobs)} scans to measure", err=True)
    codes = []
    work = partial(measure_into, out, model, fingerprint, authors_readout, fields)
    for outcome in tqdm(
        map_parallel(work, jobs, workers, cluster), total=len(jobs), desc="scans", unit="scan", disable=None
    ):
        tqdm.write(outcome.line)
        codes.append(outcome.code)
    ctx.exit(worst(codes))

"""``midlineshift-train calibrate``: how sure a model's numbers are, learned from scans whose shift is known."""

from __future__ import annotations

import json
from pathlib import Path

import click

from midlineshift_training.cli.parallel_options import parallel_options


@click.command()
@click.option(
    "--model", required=True, type=click.Path(path_type=Path), help="Model folder; its model.json is changed."
)
@click.option("--phantoms", type=click.Path(path_type=Path), help="Folder of phantoms that training never saw.")
@click.option("--first", default=0, show_default=True, help="Number of the first phantom to use.")
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of scans without a shift, to warp shifts into.")
@click.option("--warps", default=4, show_default=True, help="Known shifts a scan.")
@click.option(
    "--readings",
    type=click.Path(path_type=Path),
    help="CSV of readers' numbers: scans of --scans named there are compared with the readers' mean, not warped.",
)
@click.option(
    "--correct-gain", is_flag=True, help="Also learn by what factor measured shifts are too small or too large."
)
@click.option("--seed", default=0, show_default=True, help="Of shifts and degradations.")
@parallel_options
@click.option("--out", type=click.Path(path_type=Path), help="JSON of the samples and what was found.")
def calibrate(
    model: Path,
    phantoms: Path | None,
    first: int,
    scans: Path | None,
    warps: int,
    readings: Path | None,
    correct_gain: bool,
    seed: int,
    workers: int,
    cluster: str | None,
    out: Path | None,
) -> None:
    """Learn 90 % intervals and P(shift > 5 mm), and keep them in the model's model.json.

    Every second phantom is degraded (noise, blur, contrast, shading). Scans get known shifts warped in; as they are
    they count as unshifted. Scans with readings show the errors of real shifts, which are larger; the hardest kind of
    data sets the width. Prints, by cross-validation over cases, how often the intervals cover in each source.
    """
    from midlineshift_training.calibration.fit import check_enough, cross_validated, fit_uncertainty
    from midlineshift_training.calibration.samples import all_samples
    from midlineshift_training.calibration.summary import summarise, table
    from midlineshift_training.datasets.show_progress import show_progress
    from midlineshift_training.distributed.map_parallel import check_visible
    from MidlineShiftLogic.models.folder import load_model, write_uncertainty

    if cluster:
        model = model.resolve()
        phantoms, scans = (path and path.resolve() for path in (phantoms, scans))
        check_visible(cluster, [path for path in (model, phantoms, scans) if path])
    load_model(model)  # a damaged model is reported before hours of measuring
    jobs = _jobs(phantoms, first, scans, warps, seed, readings)
    found = show_progress(all_samples(jobs, str(model), workers, cluster), len(jobs), "cases")
    samples = [one for of_case in found for one in of_case]
    check_enough(samples)
    fitted = fit_uncertainty(samples, correct_gain)
    predicted = cross_validated(samples, correct_gain)
    summary = summarise(samples, predicted)
    content = fitted.to_json() | {"calibrated_on": summary}
    if out is not None:
        _write(out, {"uncertainty": content, "samples": [one.to_json() for one in samples]})
    write_uncertainty(model, content)
    click.echo(table(summary))
    click.echo(f"Wrote the calibration into {model / 'model.json'}.")


def _jobs(
    phantoms: Path | None, first: int, scans: Path | None, warps: int, seed: int, readings: Path | None = None
) -> list:
    import numpy as np

    from midlineshift_training.calibration.samples import DEGRADED, PHANTOMS, READINGS, SCANS, CalibrationJob
    from midlineshift_training.datasets.phantoms.files import phantom_files
    from midlineshift_training.datasets.scan_files import scan_paths
    from midlineshift_training.evaluation.truth import load_readings
    from MidlineShiftLogic.errors import InputError
    from MidlineShiftLogic.reporting.case_name import case_name

    if phantoms is None and scans is None:
        raise InputError("Give --phantoms, --scans, or both.", "usage")
    if readings is not None and scans is None:
        raise InputError("--readings needs the scans that were read; give their folder with --scans.", "usage")
    readers = {} if readings is None else load_readings(readings)
    jobs = []
    if phantoms is not None:
        files = phantom_files(phantoms)[first:]
        jobs += [CalibrationJob((PHANTOMS, DEGRADED)[i % 2], path, seed=seed) for i, path in enumerate(files)]
    if scans is not None:
        named = [(case_name(path), path) for path in scan_paths(scans)]
        missing = sorted(set(readers) - {name for name, _ in named})
        if missing:
            raise InputError(f"{readings} names {missing[0]}, which is not in {scans}.", "readings")
        for name, path in named:
            if name in readers:
                mean = float(np.mean([row["shift_mm"] for row in readers[name]]))
                jobs.append(CalibrationJob(READINGS, path, reading_mm=mean))
            else:
                jobs.append(CalibrationJob(SCANS, path, warps, seed))
    return jobs


def _write(path: Path, content: dict) -> None:
    from MidlineShiftLogic.errors import InputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {path} ({error.strerror}).", "out") from None

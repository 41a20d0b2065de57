"""``midlineshift-train evaluate``: everything that is measured of a model, in one table."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.convert import spacing_option
from midlineshift_training.cli.parallel_options import parallel_options
from midlineshift_training.datasets.annotated.case import SPLITS


def _compared(_context, _parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Parse repeated NAME=FOLDER into folders by name."""
    pairs = [value.partition("=") for value in values]
    if any(not (name.strip() and folder) for name, _, folder in pairs):
        raise click.BadParameter("give it as NAME=FOLDER")
    if len({name.strip() for name, _, _ in pairs}) < len(pairs):
        raise click.BadParameter("every compared model needs a name of its own")
    return {name.strip(): folder for name, _, folder in pairs}


@click.command()
@click.option("--model", help="Model name or folder; the default model if not given.")
@click.option("--phantoms", type=click.Path(path_type=Path), help="Folder of phantoms that training never saw.")
@click.option("--first", default=0, type=click.IntRange(min=0), help="Number of the first phantom to use.")
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of scans: files, or sub-folders of DICOM.")
@click.option(
    "--set", "labelled", type=click.Path(path_type=Path), help="Set with landmarks, or a .pkl with --spacing."
)
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    default="test",
    show_default=True,
    help="Cases of --set to measure; a .pkl has no splits, and all of it is measured.",
)
@spacing_option
@click.option("--readings", type=click.Path(path_type=Path), help="CSV of readers' numbers for the scans.")
@click.option(
    "--reads",
    type=click.Path(path_type=Path),
    help="CSV of radiologists' yes or no for the scans, as CQ500's reads.csv: name, R1:MidlineShift, ...",
)
@click.option(
    "--sizes", type=click.Path(path_type=Path), help="CSV of case-level millimetres for the scans: case, shift_mm."
)
@click.option(
    "--seen",
    type=click.Path(path_type=Path),
    help="Text file naming, one a line, the scans that training saw without readings; kept apart in the tables.",
)
@click.option(
    "--compare",
    multiple=True,
    callback=_compared,
    metavar="NAME=FOLDER",
    help="Another model, measured on the same cases; may be repeated.",
)
@click.option(
    "--warps-per-case",
    default=4,
    show_default=True,
    type=click.IntRange(min=0),
    help="Known shifts warped into every scan without reading.",
)
@click.option(
    "--robustness-cases",
    default=12,
    show_default=True,
    type=click.IntRange(min=0),
    help="Scans, spread over all, that are also measured turned, noised, re-sliced and so on.",
)
@click.option(
    "--fold-models",
    type=click.Path(path_type=Path),
    help="Folder of models named by fold (0, 1, ...), each trained with --leave-out-fold: cases of --set that have a fold, "
    "and scans of the same names, are measured by the model that did not see them.",
)
@click.option("--targets", type=click.Path(path_type=Path), help="YAML list of what the numbers are to reach.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of noise, shifts, bootstrap.")
@parallel_options
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for evaluation.json, table.md, short.md, CSV and figures.",
)
def evaluate(
    model, phantoms, first, scans, labelled, split, spacing, readings, reads, sizes, seen, compare, warps_per_case,
    robustness_cases, fold_models, targets, seed, workers, cluster, out,
):  # fmt: skip
    """Measure phantoms and scans in every way, and report how well the numbers agree with the truth or the readers.

    Prints the tables and writes them as evaluation.json, table.md and short.md, every case as CSV, and figures.
    Research use only; not a medical device.
    """
    from midlineshift_training.evaluation.plan import Plan
    from midlineshift_training.evaluation.report_text import RESEARCH, full_text
    from midlineshift_training.evaluation.run import run

    plan = Plan(
        model, phantoms, first, scans, readings, seen, compare, warps_per_case, robustness_cases, seed, workers, cluster,
        labelled, split, spacing, targets, reads, sizes, fold_models,
    )  # fmt: skip
    evaluation = run(plan, out)
    click.echo(f"{RESEARCH}\n\n{full_text(evaluation)}\nWritten: {out}")

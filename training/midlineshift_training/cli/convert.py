"""``midlineshift-train convert``: a research group's scans and labels -> a set that training and evaluation take."""

from __future__ import annotations

from pathlib import Path

import click

from MidlineShiftLogic.text import counted


def parse_spacing(_context, _parameter, value: str | None) -> tuple[float, float, float] | None:
    """Parse ``Z,Y,X`` in mm."""
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or not all(0 < number < float("inf") for number in numbers):
        raise click.BadParameter("give three positive numbers in mm, slices, rows, columns, as in 5,0.8,0.8")
    return numbers


spacing_option = click.option(
    "--spacing",
    callback=parse_spacing,
    metavar="Z,Y,X",
    help="mm between slices, rows and columns of .npy arrays, which do not say it.",
)


@click.command()
@click.option("--authors", type=click.Path(path_type=Path), help="Labels of Gong et al.'s layout (.pkl).")
@click.option("--root", type=click.Path(path_type=Path), help="Folder that the paths in the .pkl start from.")
@click.option(
    "--shift-unit", type=click.Choice(["px", "mm"]), default="px", show_default=True, help="Of the .pkl's shift."
)
@click.option("--scans", type=click.Path(path_type=Path), help="Folder of scans: files, or sub-folders of DICOM.")
@click.option("--landmarks", type=click.Path(path_type=Path), help="CSV of landmarks for --scans.")
@click.option("--markups", type=click.Path(path_type=Path), help="Folder of Slicer's .mrk.json for --scans.")
@click.option("--cases", type=click.Path(path_type=Path), help="CSV of patient, mls, shift_mm for --scans.")
@click.option(
    "--coordinates", type=click.Choice(["LPS", "RAS"]), default="LPS", show_default=True, help="Of mm in the CSV."
)
@click.option("--phantoms", type=click.Path(path_type=Path), help="Folder of phantoms, as if they were such scans.")
@spacing_option
@click.option("--validation", default=0.15, show_default=True, type=click.FloatRange(0, 0.9), help="Share of patients.")
@click.option("--test", default=0.15, show_default=True, type=click.FloatRange(0, 0.9), help="Share of patients.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the split by patient.")
@click.option(
    "--model", default="", help="Model that finds each head's midsagittal plane; the default model if not given."
)
@click.option("--no-align", is_flag=True, help="Find no midsagittal planes: train on heads as they were scanned.")
@click.option("--skip-bad", is_flag=True, help="Leave cases that cannot be used out.")
@click.option("--source", default="", help="Name of the collection, for the record of what a model is trained on.")
@click.option("--source-licence", default="", help="Licence of the collection.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the set; must not exist yet.")
def convert(
    authors, root, shift_unit, scans, landmarks, markups, cases, coordinates, phantoms, spacing, validation, test, seed,
    model, no_align, skip_bad, source, source_licence, workers, out,
):  # fmt: skip
    """Turn scans with sparse landmarks into a set: set.json and compressed scans that keep their pixel size.

    Give one of --authors, --scans and --phantoms. Every case is checked; everything that is wrong is listed, with its file,
    and then nothing is written. Research use only.
    """
    from midlineshift_training.datasets.annotated.authors import read_authors_set
    from midlineshift_training.datasets.annotated.convert import Split, convert_set
    from midlineshift_training.datasets.annotated.problems import WARNING
    from midlineshift_training.datasets.annotated.scans import read_scan_folder
    from midlineshift_training.datasets.phantoms.files import phantom_files
    from MidlineShiftLogic.errors import InputError

    sources = {"authors": authors, "scans": scans, "phantoms": phantoms}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise InputError("Give exactly one of --authors, --scans and --phantoms.", "usage")
    if (landmarks or markups or cases) and not scans:
        raise InputError("--landmarks, --markups and --cases are about scans; give --scans, too.", "usage")
    if validation + test >= 1:
        raise InputError("--validation and --test leave nothing to train on.", "usage")
    problems = []
    if authors:
        found, problems = read_authors_set(authors, spacing, shift_unit, root)
    elif scans:
        found, problems = read_scan_folder(scans, landmarks, markups, cases, coordinates, spacing)
    else:
        found = phantom_files(phantoms)
    split = Split(validation, test, seed)
    pose_model = None if no_align else model
    manifest, problems = convert_set(
        found,
        problems,
        out,
        given[0],
        split,
        pose_model=pose_model,
        skip_bad=skip_bad,
        workers=workers,
        source=(source, source_licence),
    )
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(summary(manifest, sum(one.severity == WARNING for one in problems)))
    click.echo(out)


def summary(manifest: dict, warnings: int) -> str:
    """Summarise what is in a set, in a few lines."""
    cases = manifest["cases"]
    labelled = sum(len(case["landmarks"]) for case in cases)
    counts = {
        "with MLS": sum(case["shifted"] is True for case in cases),
        "without MLS": sum(case["shifted"] is False for case in cases),
        "without a label": sum(case["shifted"] is None for case in cases),
    }
    of_split = {name: sum(case["split"] == name for case in cases) for name in ("train", "validation", "test")}
    lines = [
        f"{counted(len(cases), 'case')} of {counted(len({case['patient'] for case in cases}), 'patient')}: "
        + ", ".join(f"{count} {name}" for name, count in counts.items() if count),
        f"{counted(labelled, 'labelled slice')} in {counted(sum(bool(case['landmarks']) for case in cases), 'case')}",
        ", ".join(f"{count} {name}" for name, count in of_split.items()),
        f"warnings: {warnings}, left out: {len(manifest['left_out'])}",
    ]
    return "\n".join(lines)

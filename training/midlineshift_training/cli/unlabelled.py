"""``midlineshift-train unlabelled``: real scans that are known to be unshifted, made ready for training."""

from __future__ import annotations

from pathlib import Path

import click

from MidlineShiftLogic.text import counted


@click.command()
@click.option(
    "--scans", required=True, type=click.Path(path_type=Path), help="Folder of scans: files, or DICOM folders."
)
@click.option("--list", "names", type=click.Path(path_type=Path), help="Text file of the cases to take, one a line.")
@click.option("--source", default="", help="Name of the collection, for the record of what a model is trained on.")
@click.option("--source-licence", default="", help="Licence of the collection.")
@click.option("--model", help="Model that finds the midsagittal plane; the default model if not given.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the cases; made if missing.")
def unlabelled(scans, names, source, source_licence, model, out):
    """Turn unshifted real scans without readings into training cases whose midline is bent by known amounts."""
    from midlineshift_training.datasets.scan_files import scan_paths
    from midlineshift_training.datasets.show_progress import show_progress
    from midlineshift_training.datasets.unlabelled.case import unlabelled_case, write_unlabelled_case
    from MidlineShiftLogic.errors import InputError, MidlineShiftError
    from MidlineShiftLogic.headct import read
    from MidlineShiftLogic.models import load_model
    from MidlineShiftLogic.reporting.case_name import case_name
    from MidlineShiftLogic.unfinished import remove_if_left_empty

    paths = {case_name(path): path for path in scan_paths(scans)}
    if names:
        try:
            wanted = names.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the list {names} ({error}).", "list") from None
        missing = [name for name in wanted if name not in paths]
        if missing:
            raise InputError(f"{names} names {missing[0]}, which is not among the scans in {scans}.", "list")
        paths = {name: paths[name] for name in wanted}
    loaded = load_model(model, "cpu")
    written = 0
    with remove_if_left_empty(out):
        out.mkdir(parents=True, exist_ok=True)
        for number, (name, path) in enumerate(show_progress(paths.items(), len(paths), "scans")):
            try:
                entries = unlabelled_case(read(path), loaded, name, (source, source_licence))
            except MidlineShiftError as error:
                click.echo(f"{name}: left out: {error}", err=True)
                continue
            write_unlabelled_case(out / f"{number:05d}.npz", entries)
            written += 1
    click.echo(f"{counted(written, 'case')} in {out}")

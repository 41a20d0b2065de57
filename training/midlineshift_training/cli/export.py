"""``midlineshift-train export``: finished runs -> a model folder or a MONAI bundle."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Model folder to write; must not exist yet.")
@click.option("--monai-bundle", type=click.Path(path_type=Path), help="MONAI bundle to write; must not exist yet.")
@click.option(
    "--model", help="Model to write as a bundle, or to add a --denoiser or --refinement to, without other runs."
)
@click.option("--pose", type=click.Path(path_type=Path), help="Run of the pose network.")
@click.option("--pose-from", help="Model whose pose network is taken along, where --pose is not given.")
@click.option("--conditional", type=click.Path(path_type=Path), help="Run of the non-MLS denoiser.")
@click.option("--unconditional", type=click.Path(path_type=Path), help="Run of the denoiser of all cases.")
@click.option(
    "--denoiser", type=click.Path(path_type=Path), help="Run, or model, of a class-conditional denoiser, for both."
)
@click.option("--deformation", type=click.Path(path_type=Path), help="Run of the deformation network.")
@click.option("--refinement", type=click.Path(path_type=Path), help="Run of the refinement network.")
@click.option("--name", help="Name of the model.  [default: the name of the folder]")
@click.option("--model-version", default="1", show_default=True, help="Version of the model.")
@click.option("--description", default="Trained with midlineshift-train; research use only.", help="One sentence.")
@click.option("--licence", default="Apache-2.0", show_default=True, help="Licence of the weights.")
@click.option("--trained-on", help="In words.  [default: what the runs recorded of their data]")
@click.option("--readout", type=click.Path(path_type=Path), help="JSON of parameters of the shift computation.")
@click.option("--accuracy", type=click.Path(path_type=Path), help="JSON of measured figures.")
def export(
    out: Path | None,
    monai_bundle: Path | None,
    model: str | None,
    pose: Path | None,
    pose_from: str | None,
    conditional: Path | None,
    unconditional: Path | None,
    denoiser: Path | None,
    deformation: Path | None,
    refinement: Path | None,
    name: str | None,
    model_version: str,
    description: str,
    licence: str,
    trained_on: str | None,
    readout: Path | None,
    accuracy: Path | None,
) -> None:
    """Write a model folder from finished runs, with the averaged weights of each run's best check, or a MONAI bundle.

    Give the denoisers that the deformation network was trained with, or none where it was trained without; a
    class-conditional --denoiser beside such a network makes the pseudo-healthy image only, and can also be added to a
    finished --model. A --refinement, too, can be added to a finished --model, in the place of one that it has; the
    calibration and the figures of that model are not taken along then. A deformation network
    trained on a set with landmarks finds no midsagittal plane: the pose network beside it may be that of another
    model, by default of the shipped one. Research use only.
    """
    from midlineshift_training.export.add_denoiser import add_denoiser
    from midlineshift_training.export.add_refinement import add_refinement
    from midlineshift_training.export.model_folder import export_runs, read_json_object
    from MidlineShiftLogic.errors import InputError

    runs = {"pose": pose, "conditional": conditional, "unconditional": unconditional, "deformation": deformation}
    runs |= {"denoiser": denoiser, "refinement": refinement}
    given = {component: run for component, run in runs.items() if run is not None}
    adds = bool(model and out and (set(given) == {"refinement"} or (set(given) == {"denoiser"} and not readout)))
    if model and (out or given) and not adds:
        raise InputError(
            "--model bundles a model that exists, or adds a --denoiser or a --refinement to it with --out; leave out all "
            "else.",
            "usage",
        )
    if model and monai_bundle is None and not adds:
        raise InputError("--model is for --monai-bundle, or for --denoiser or --refinement with --out.", "usage")
    if not model and not (out and deformation):
        raise InputError(
            "Give --out and --deformation, or --model with --monai-bundle, --denoiser or --refinement.", "usage"
        )
    if monai_bundle and monai_bundle.exists():
        raise InputError(f"{monai_bundle} already exists; choose another folder for the bundle.", "exists")
    if out is not None:
        texts = {
            "name": name or out.resolve().name,
            "version": model_version,
            "description": description,
            "licence": licence,
            "trained_on": trained_on or "",
        }
        figures = read_json_object(accuracy)
        if model and denoiser:
            click.echo(add_denoiser(out, model, denoiser, texts, figures))
        elif model and refinement:
            click.echo(add_refinement(out, model, refinement, texts, read_json_object(readout), figures))
        else:
            click.echo(export_runs(out, given, texts, read_json_object(readout), figures, pose_from))
    if monai_bundle is not None:
        from midlineshift_training.export.monai_bundle import write_bundle

        click.echo(write_bundle(monai_bundle, out or model))

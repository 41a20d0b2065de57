"""``midlineshift-train export``: finished runs -> a model folder that ``midlineshift measure`` can use."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Model folder; must not exist yet.")
@click.option("--pose", type=click.Path(path_type=Path), help="Run of the pose network.")
@click.option("--pose-from", help="Model whose pose network is taken along, where --pose is not given.")
@click.option("--conditional", type=click.Path(path_type=Path), help="Run of the non-MLS denoiser.")
@click.option("--unconditional", type=click.Path(path_type=Path), help="Run of the denoiser of all cases.")
@click.option("--deformation", required=True, type=click.Path(path_type=Path), help="Run of the deformation network.")
@click.option("--name", help="Name of the model.  [default: the name of the folder]")
@click.option("--model-version", default="1", show_default=True, help="Version of the model.")
@click.option("--description", default="Trained with midlineshift-train; research use only.", help="One sentence.")
@click.option("--licence", default="Apache-2.0", show_default=True, help="Licence of the weights.")
@click.option("--trained-on", help="In words.  [default: what the runs recorded of their data]")
@click.option("--readout", type=click.Path(path_type=Path), help="JSON of read-out parameters.")
@click.option("--accuracy", type=click.Path(path_type=Path), help="JSON of measured figures.")
def export(
    out: Path,
    pose: Path | None,
    pose_from: str | None,
    conditional: Path | None,
    unconditional: Path | None,
    deformation: Path,
    name: str | None,
    model_version: str,
    description: str,
    licence: str,
    trained_on: str | None,
    readout: Path | None,
    accuracy: Path | None,
) -> None:
    """Write a model folder from finished runs, with the averaged weights of each run's best check.

    Give both denoisers, or neither for a deformation network trained without the noise difference. A deformation network
    trained on a set with landmarks finds no mid-plane: the pose network beside it may be that of another model, by default of
    the shipped one. Research use only.
    """
    from midlineshift_training.export.model_folder import export_runs, read_json_object

    runs = {"pose": pose, "conditional": conditional, "unconditional": unconditional, "deformation": deformation}
    given = {component: run for component, run in runs.items() if run is not None}
    texts = {
        "name": name or out.resolve().name,
        "version": model_version,
        "description": description,
        "licence": licence,
        "trained_on": trained_on or "",
    }
    click.echo(export_runs(out, given, texts, read_json_object(readout), read_json_object(accuracy), pose_from))

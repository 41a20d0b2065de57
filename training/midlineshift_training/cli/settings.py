"""``midlineshift-train settings``: every setting of a training command."""

from __future__ import annotations

import click

from midlineshift_training.trainers.settings.presets import NAMES

TASKS = ("pose", "diffusion", "class-conditional", "deformation", "landmarks", "refinement")


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--preset", type=click.Choice(NAMES), help="Defaults of this preset (diffusion and landmarks).")
@click.option("--yaml", "as_yaml", is_flag=True, help="As a file for --config, which may be cut down.")
def settings(task: str, preset: str | None, as_yaml: bool) -> None:
    """List every setting of TASK with its type, default and meaning.

    'deformation' is stage 2 on phantoms, 'landmarks' stage 2 on scans with sparse landmarks; the command 'deformation'
    chooses between them by --data. 'class-conditional' is 'diffusion --class-conditional'.
    """
    from midlineshift_training.trainers.settings.describe import describe, to_yaml
    from midlineshift_training.trainers.settings.presets import AUTHORS, AUTHORS_DIFFUSION, AUTHORS_LANDMARKS
    from midlineshift_training.trainers.settings.stored import KINDS
    from MidlineShiftLogic.errors import InputError

    chosen = KINDS[task]()
    if preset == AUTHORS:
        presets = {"diffusion": AUTHORS_DIFFUSION, "landmarks": AUTHORS_LANDMARKS}
        if task not in presets:
            raise InputError("--preset authors is for diffusion and landmarks.", "usage")
        chosen = presets[task]
    if as_yaml:
        click.echo(to_yaml(chosen), nl=False)
        return
    for one in describe(chosen):
        click.echo(f"{one.name} = {one.default}  ({one.kind})")
        click.echo(f"    {one.meaning}")

"""``midlineshift-train diffusion``: train one of the two denoisers."""

from __future__ import annotations

from pathlib import Path

import click

from midlineshift_training.cli.run_options import run_options
from midlineshift_training.cli.training_options import (
    is_annotated,
    set_choices,
    set_options,
    settings_of_run,
)
from midlineshift_training.trainers.settings.diffusion import DEFAULTS, FROM_SET
from midlineshift_training.trainers.settings.presets import AUTHORS_DIFFUSION, with_preset


@click.command()
@click.option(
    "--data", required=True, multiple=True, type=click.Path(path_type=Path), help="Phantoms or set; may be repeated."
)
@click.option("--cohort", type=click.Choice(["non-mls", "all"]), help="Cases to learn from; needed to start a run.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML whose settings replace the defaults.")
@click.option("--init", type=click.Path(path_type=Path), help="Weights (.safetensors) or run folder to start from.")
@click.option(
    "--validation-cases",
    default=24,
    show_default=True,
    type=click.IntRange(min=1),
    help="Last cases of --data, held out.",
)
@click.option("--seed", type=int, help="Seed of data order, augmentation, noise and initial weights.")
@set_options
@run_options
def diffusion(
    data, cohort, out, config, init, validation_cases, seed, preset, max_steps, epochs, validation_data, spacing, resume,
    threads, **where,
):  # fmt: skip
    """Train stage 1: a denoiser of unshifted cases (non-mls, "conditional") or of all ("unconditional").

    --data is a folder of phantoms, a set made by 'convert', or the .pkl of Gong et al.'s layout. The run folder gets
    best.safetensors (averaged weights), network.json, settings.yaml, provenance.json, last.ckpt, checks.csv, pictures,
    TensorBoard events and, at the end, summary.html. Research use only.
    """
    from midlineshift_training.trainers.processes import say
    from midlineshift_training.trainers.start.diffusion import train_diffusion

    from_set = is_annotated(data)
    defaults = with_preset(DEFAULTS | (FROM_SET if from_set else {}), preset, AUTHORS_DIFFUSION)
    choices = {"cohort": cohort, "init": str(init) if init else None, "preset": preset}
    choices |= set_choices(validation_data, spacing)
    options = {"max_steps": max_steps, "epochs": epochs, "seed": seed}
    settings = settings_of_run(defaults, choices, out, config, options, resume)
    say(train_diffusion(settings, data, from_set, out, validation_cases, resume, threads, where), err=False)

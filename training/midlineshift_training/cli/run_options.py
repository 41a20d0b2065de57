"""Options of every training command: data, run folder, settings, and how the run is carried out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click


def run_options(function: Callable) -> Callable:
    """Add the options of every training command, and those of ``Launch``."""
    return _apply(function, [*_run(), *_launch()])


def _run() -> list[Callable]:
    return [
        click.option(
            "--data",
            required=True,
            multiple=True,
            type=click.Path(path_type=Path),
            help="Phantoms or set; may be repeated.",
        ),
        click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder."),
        click.option("--config", type=click.Path(path_type=Path), help="YAML whose settings replace the defaults."),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="NAME=VALUE",
            help="One setting, as noise.t=250; may be repeated. 'midlineshift-train settings' lists all.",
        ),
        click.option(
            "--init",
            type=click.Path(path_type=Path),
            help="Weights (.safetensors), run folder or, for the midline networks, model to start from.",
        ),
        click.option(
            "--validation-cases",
            default=24,
            show_default=True,
            type=click.IntRange(min=1),
            help="Last phantoms of --data, held out; at most a fifth of them.",
        ),
        click.option("--seed", type=int, help="Seed of data order, augmentation, noise and initial weights."),
    ]


def _launch() -> list[Callable]:
    return [
        click.option("--resume", is_flag=True, help="Go on from the run folder's last checkpoint."),
        click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each process."),
        click.option(
            "--time-limit",
            type=click.FloatRange(min=0),
            help="Minutes after which the next check is the last; --resume goes on.",
        ),
        click.option(
            "--accelerator",
            type=click.Choice(["auto", "cpu", "gpu"]),
            default="auto",
            show_default=True,
            help="Where to train.",
        ),
        click.option(
            "--cache",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder that keeps cut slices for other runs.  [default: slice-cache beside --out]",
        ),
        click.option("--no-cache", is_flag=True, help="Cut all slices anew, and keep none."),
        click.option(
            "--devices",
            type=click.IntRange(min=1),
            help="Processes (GPUs) on this machine; leave it out under torchrun and SLURM, which start them.",
        ),
    ]


def _apply(function: Callable, options: list[Callable]) -> Callable:
    for option in reversed(options):
        function = option(function)
    return function

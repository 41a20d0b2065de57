"""``midlineshift-train average``: one network whose weights are the mean of those of several runs.

Runs that started from common weights lie in one basin, and the mean of their weights errs less, on other data above all, than
the best of them (Wortsman et al., ICML 2022), at no cost when measuring. Means and variances of batch normalisation do not
average; they are taken anew from training batches (Izmailov et al., UAI 2018).
"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option("--run", "runs", required=True, multiple=True, type=click.Path(path_type=Path), help="Run; two or more.")
@click.option("--data", multiple=True, type=click.Path(path_type=Path), help="Phantoms.  [default: the last run's]")
@click.option(
    "--batches", default=60, show_default=True, type=click.IntRange(min=1), help="Training batches to look at."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of these batches.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder for the mean; must not exist.")
def average(runs, data, batches, seed, out):
    """Average the weights of finished runs of one network that started from common weights.

    OUT is a run folder that 'export', 'calibrate' and 'card' take, and --init of another run. Of networks that normalise by
    batches (pose, deformation) the statistics are taken anew from training batches.
    """
    import torch
    import yaml
    from safetensors.torch import save_file

    from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
    from midlineshift_training.trainers.run_folder.finished_run import load_run_settings
    from MidlineShiftLogic.errors import InputError

    if len(runs) < 2:
        raise InputError("Give --run twice or more; there is nothing to average.", "usage")
    if out.exists():
        raise InputError(f"{out} exists; choose another --out.", "out")
    network = mean_network(runs)
    settings = load_run_settings(runs[-1]) | {"averaged": [str(run) for run in runs], "init": None}
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()):
        _renew_statistics(network, settings, data or [Path(folder) for folder in settings["data"]], batches, seed)
    out.mkdir(parents=True)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    described = json.loads((runs[-1] / "network.json").read_text(encoding="utf-8"))
    write_atomic(out / "settings.yaml", lambda path: path.write_text(yaml.safe_dump(settings, sort_keys=False)))
    write_atomic(out / "network.json", lambda path: path.write_text(json.dumps(described)))
    write_atomic(out / "best.safetensors", lambda path: save_file(weights, path, metadata={"step": "0"}))
    click.echo(out / "best.safetensors")


def mean_network(runs):
    """The network of the runs with the mean of their weights. InputError if they are not of one network."""
    import torch

    from midlineshift_training.trainers.run_folder.finished_run import load_run_network
    from MidlineShiftLogic.errors import InputError

    networks = [load_run_network(run) for run in runs]
    first = networks[0]
    for run, other in zip(runs, networks, strict=True):
        if type(other) is not type(first) or other.config != first.config:
            raise InputError(f"{run} holds another network than {runs[0]}; only runs of one network average.", "runs")
    states = [network.state_dict() for network in networks]
    with torch.no_grad():
        for name, value in first.state_dict().items():
            if value.is_floating_point():  # the others count batches
                value.copy_(torch.stack([state[name] for state in states]).mean(0))
    return first


def _renew_statistics(network, settings: dict, data, batches: int, seed: int) -> None:
    """Means and variances of batch normalisation over training batches, made as the last run made its own."""
    import torch
    from torch.optim.swa_utils import update_bn
    from tqdm import tqdm

    from midlineshift_training.datasets.phantom_slices import load_phantoms
    from midlineshift_training.datasets.phantoms.files import phantom_files
    from midlineshift_training.trainers.midline_trainer import MidlineTrainer
    from MidlineShiftLogic.errors import InputError

    if settings.get("noise_difference"):
        raise InputError(
            "Runs with the noise difference cannot be averaged yet; average their runs without it.", "runs"
        )
    files = [file for folder in data for file in phantom_files(folder)]
    stage = MidlineTrainer(settings | {"seed": seed}, load_phantoms(files), None)
    drawn = stage.training_batches(0, batches)
    half = settings["precision"] == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        update_bn((stage.inputs(drawn[k]) for k in tqdm(range(batches), desc="statistics")), network)
    network.eval()

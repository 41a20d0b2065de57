"""One network whose weights are the mean of those of several runs.

Runs that started from common weights are in one basin, and the mean of their weights errs less, on other data above all, than
the best of them (Wortsman et al., ICML 2022), at no cost when measuring. Means and variances of batch normalisation do not
average; they are taken anew from training batches (Izmailov et al., UAI 2018).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import update_bn

from midlineshift_training.datasets.show_progress import show_progress
from midlineshift_training.trainers.midline_trainer import MidlineTrainer
from midlineshift_training.trainers.processes import Launch
from midlineshift_training.trainers.refinement_trainer import RefinementTrainer
from midlineshift_training.trainers.run_folder.atomic_write import write_atomic, write_text_atomic
from midlineshift_training.trainers.run_folder.finished_run import load_run_network
from midlineshift_training.trainers.run_folder.new_run import BEST, NETWORK
from midlineshift_training.trainers.run_folder.provenance import FILE
from midlineshift_training.trainers.run_folder.trained_on import trained_on
from midlineshift_training.trainers.settings.common import RunSettings
from midlineshift_training.trainers.settings.midline import DeformationSettings, PoseSettings, RefinementSettings
from midlineshift_training.trainers.settings.stored import load_run_settings, save_run_settings
from midlineshift_training.trainers.start.midline_data import load_training_slices
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.unfinished import unfinished_folder


def average_runs(runs: Sequence[Path], data: Sequence[Path], batches: int, seed: int, out: Path) -> Path:
    """Write a run folder whose network has the mean weights of finished runs.

    Args:
        runs: run folders, two or more, of one network.
        data: phantoms and sets that statistics of batch normalisation are taken from; those of the last run if empty.
        batches: training batches to look at. seed: of these batches.
        out: run folder of the mean; must not exist.

    Returns:
        Path of the weights.

    Raises:
        InputError: there are fewer than two runs, they are not of one network, or ``out`` exists.
    """
    if len(runs) < 2:
        raise InputError("Give --run twice or more; there is nothing to average.", "usage")
    if out.exists():
        raise InputError(f"{out} exists; choose another --out.", "out")
    network = mean_network(runs)
    settings = load_run_settings(runs[-1]) | {"averaged": [str(run) for run in runs], "init": None}
    if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        shown = data or [Path(folder) for folder in settings.data]
        _renew_statistics(network, settings, shown, batches, seed, Launch().slice_cache(out))
    seen = trained_on(runs).to_json()
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with unfinished_folder(out) as partial:
        save_run_settings(partial, settings)
        write_text_atomic(partial / FILE, json.dumps({"data": [], "initial": seen}))
        write_atomic(partial / NETWORK, lambda path: shutil.copyfile(runs[-1] / NETWORK, path))
        write_atomic(partial / BEST, lambda path: save_file(weights, path, metadata={"step": "0"}))
        partial.chmod(0o755)  # it was private
        partial.rename(out)
    return out / BEST


def mean_network(runs: Sequence[Path]) -> nn.Module:
    """Return the network of the runs with the mean of their weights. InputError if they are not of one network."""
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


def _renew_statistics(
    network: nn.Module, settings: RunSettings, data: Sequence[Path], batches: int, seed: int, cache: Path | None
) -> None:
    """Take means and variances of batch normalisation from training batches, made as the last run made its own."""
    if not isinstance(settings, PoseSettings | DeformationSettings | RefinementSettings):
        raise InputError("Only runs of 'pose', 'deformation' and 'refinement' on phantoms can be averaged.", "runs")
    if getattr(settings, "noise_difference", False):
        raise InputError(
            "Runs with the noise difference cannot be averaged yet; average their runs without it.", "runs"
        )
    slices = load_training_slices(settings, data, settings.leave_out_fold, cache)
    drawing = settings | {"seed": seed}
    module: MidlineTrainer | RefinementTrainer
    if isinstance(drawing, RefinementSettings):
        module = RefinementTrainer(drawing, slices, None)
    else:
        module = MidlineTrainer(drawing, slices, None)
    drawn = module.training_batches(0, batches)
    half = settings.precision == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        update_bn(_inputs(module, drawn, batches), network)
    network.eval()


def _inputs(module: MidlineTrainer | RefinementTrainer, drawn: Sequence, batches: int) -> Iterator[torch.Tensor]:
    for number in show_progress(range(batches), batches, "batches for the statistics"):
        with torch.autocast("cpu", enabled=False):  # the network sees half precision, its data is made in full
            inputs = module.inputs(drawn[number])
        yield inputs

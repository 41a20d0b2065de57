"""What the diffusion adds to the deformation network: one start, equal steps, the same slices, seeds and folds in every arm.

``prepare`` draws the training batches once, ``denoise`` adds the noise difference and pseudo-healthy image of every slice.
``train`` goes through them from version 4 of the shipped model, without the slices of one fold, and ``measure`` measures the
scans of that fold, some phantoms and some known shifts. ``diffusion_table.py`` compares the arms. Every arm sees the same
batches in the same order; only what is made of the denoiser differs:

* ``none``: nothing. ``input``: the noise difference is an input. ``image``: the pseudo-healthy image of real slices is the
  target of the image term of Gong et al. ``both``. ``correlation``: as ``image``, compared by local correlation.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import fields, replace
from pathlib import Path

import click
import torch
from torch.nn import functional
from tqdm import tqdm

from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.datasets.landmark_slices import load_labelled
from midlineshift_training.datasets.midline_dataset import MidlineBatch, cut_midline_batch
from midlineshift_training.datasets.phantom_slices import join, load_phantoms, sampling_weights
from midlineshift_training.datasets.phantoms.files import phantom_files, phantom_scan
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from midlineshift_training.evaluation.known_shifts import amplitudes, known_shift
from midlineshift_training.evaluation.truth import phantom_truth
from midlineshift_training.losses.deformation_loss import compare_images
from midlineshift_training.losses.midline_loss import midline_loss
from midlineshift_training.trainers.initial_weights import load_what_fits
from midlineshift_training.trainers.start.midline_data import scan_name
from MidlineShiftLogic.api import measure_case
from MidlineShiftLogic.headct.headct import HeadCT
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, denoiser_input
from MidlineShiftLogic.inference.window import two_windows
from MidlineShiftLogic.measurement.shift_settings import ShiftSettings
from MidlineShiftLogic.models.folder import Model, denoiser_pair, load_model, save_model
from MidlineShiftLogic.models.settings import parse_settings
from MidlineShiftLogic.networks.diffusion import add_noise, make_schedule, predict_x0
from MidlineShiftLogic.networks.midline_unet import MidlineUNet

ARMS = {"none": (False, None), "input": (True, None), "image": (False, "squares"), "both": (True, "squares")}
ARMS["correlation"] = (False, "local correlation")
BATCH, GRID, PIXEL_MM, FRAME_MM = 16, 128, 1.8, 198.0
BEND_MM, UNEQUAL, LABELLED, UNLABELLED = 22.0, 0.3, 0.45, 0.15
GAIN = 1.0
LEARNING_RATE, DECAY, CLIP, WARM_UP = 3e-4, 1e-3, 3.0, 20
IMAGE_WEIGHT = {"squares": 5.0, "local correlation": 0.2}
AVERAGED = 0.4
"""Share of the steps, the last ones, whose weights are averaged."""
STATISTICS = 12
"""Batches from which the statistics of batch normalisation are taken anew."""
SEED = 20261128
DENOISED = "denoised"
WARPS, HEADS_WITH_WARPS = 2, 3
"""Known shifts of a scan, and unshifted scans of each fold that get them."""
work_option = click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the protocol.")
fold_option = click.option("--fold", required=True, type=int)
arm_option = click.option("--arm", required=True, type=click.Choice(list(ARMS)))


@click.group()
def main():
    """Compare uses of a denoiser by cross-validation."""


@main.command()
@work_option
@click.option("--set", "dataset", required=True, type=click.Path(path_type=Path), help="Set with folds.")
@click.option("--phantoms", required=True, type=click.Path(path_type=Path))
@click.option("--count", default=90, help="Phantoms to take.")
@click.option("--unlabelled", required=True, type=click.Path(path_type=Path))
@click.option("--batches", default=240)
def prepare(work, dataset, phantoms, count, unlabelled, batches):
    """Draw the batches; those that are there are kept."""
    cases = load_dataset(dataset)
    fold_of = {case.name: case.fold for case in cases}
    parts, folds = [], []
    for fold in sorted(set(fold_of.values())):
        parts.append(load_labelled([case for case in cases if case.fold == fold], load_model()))
        folds.append(torch.full((len(parts[-1]),), fold))
    for path in phantom_files(unlabelled):
        name = scan_name(path)
        if name in fold_of:
            parts.append(load_phantoms([path]))
            folds.append(torch.full((len(parts[-1]),), fold_of[name]))
    parts.append(load_phantoms(phantom_files(phantoms)[:count]))
    folds.append(torch.full((len(parts[-1]),), -1))
    store, fold = join(parts), torch.cat(folds)
    weights = sampling_weights(store, unlabelled_share=UNLABELLED, labelled_share=LABELLED)
    variation = FrameVariation(broad=False, bend_mm=BEND_MM, unequal=UNEQUAL)
    (work / "batches").mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(batches), desc="batches"):
        path = work / "batches" / f"{number:04d}.pt"
        if path.exists():
            continue
        g = torch.Generator().manual_seed(SEED + number)
        index = torch.multinomial(weights, BATCH, replacement=True, generator=g)
        batch = cut_midline_batch(store, index, variation, GRID, PIXEL_MM, FRAME_MM, g, 2)
        real = store.labelled[index] | store.unlabelled[index]
        content = {one.name: getattr(batch, one.name).half() for one in fields(batch)}
        _save(content | {"fold": fold[index], "real": real}, path)


@main.command()
@work_option
@click.option("--denoiser", required=True, help="Model with a class-conditional denoiser.")
def denoise(work, denoiser):
    """Make the noise difference and the pseudo-healthy image of all slices."""
    model = load_model(denoiser)
    (work / DENOISED).mkdir(exist_ok=True)
    for number, path in enumerate(tqdm(sorted((work / "batches").glob("*.pt")), desc="denoising")):
        done = work / DENOISED / path.name
        if not done.exists():
            batch, _ = _split(torch.load(path, weights_only=True))
            _save(_denoise(model, batch, torch.Generator().manual_seed(2 * SEED + number)), done)


def _save(content: dict[str, torch.Tensor], path: Path) -> None:
    """Write a file that appears whole or not at all."""
    torch.save(content, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


@torch.inference_mode()
def _denoise(model: Model, batch: MidlineBatch, g: torch.Generator) -> dict[str, torch.Tensor]:
    """Noise difference (B, 1, g, g) and pseudo-healthy image (B, 1, h, h) of slices, from one noise each."""
    noise = parse_settings(NoiseSettings, model.noise, "noise")
    x, schedule = denoiser_input(batch.hu, noise.grid), make_schedule(noise.schedule, noise.steps)
    t = torch.full((len(x),), noise.t)
    xt = add_noise(schedule, x, t, torch.randn(x.shape, generator=g))
    with torch.autocast("cpu", torch.bfloat16):
        conditional, unconditional = (branch(xt, t).float() for branch in denoiser_pair(model)(batch.height))
    w = noise.ddim.conditional_weight
    healthy = predict_x0(schedule, xt, t, w * conditional - (w - 1) * unconditional).clamp(-1, 1)
    field = batch.ideal.shape[-1]
    return {
        "difference": (GAIN * (conditional - unconditional)).half(),
        "healthy": functional.adaptive_avg_pool2d(healthy, field).half(),
    }


def _load(path: Path, fold: int, denoised: bool) -> tuple[MidlineBatch, dict[str, torch.Tensor]]:
    """A batch without the slices of a fold, and what goes with it."""
    content = torch.load(path, weights_only=True)
    if denoised:
        content |= torch.load(path.parents[1] / DENOISED / path.name, weights_only=True)
    kept = content["fold"] != fold
    return _split({name: value[kept] for name, value in content.items()})


def _split(content: dict[str, torch.Tensor]) -> tuple[MidlineBatch, dict[str, torch.Tensor]]:
    """A stored batch, and what is stored beside it, in single precision."""
    values = {name: value.float() if value.is_floating_point() else value for name, value in content.items()}
    return MidlineBatch(**{one.name: values.pop(one.name) for one in fields(MidlineBatch)}), values


def _inputs(batch: MidlineBatch, more: dict[str, torch.Tensor], with_difference: bool) -> torch.Tensor:
    windows = two_windows(batch.hu)
    if with_difference:
        difference = functional.interpolate(
            more["difference"], windows.shape[-2:], mode="bilinear", align_corners=False
        )
        windows = torch.cat([windows, difference], 1)
    return windows.contiguous(memory_format=torch.channels_last)


@main.command()
@work_option
@fold_option
@arm_option
@click.option("--denoiser", help="Of the arms that measure with it.")
def train(work, fold, arm, denoiser):
    """Train one arm without one fold; the result is a model folder."""
    out = work / f"{arm}.{fold}"
    if out.exists():
        return
    with_difference, similarity = ARMS[arm]
    denoised = with_difference or similarity is not None
    start = load_model()
    torch.manual_seed(SEED)
    network = MidlineUNet(**start.network("deformation").config | {"in_channels": 3 if with_difference else 2})
    load_what_fits(network, start.folder / "deformation.safetensors")
    network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=DECAY)
    files = sorted((work / "batches").glob("*.pt"))
    average = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    for number, path in enumerate(files):
        batch, more = _load(path, fold, denoised)
        with torch.autocast("cpu", torch.bfloat16):
            out_maps = network(_inputs(batch, more, with_difference))
        values = {name: None if value is None else value.float() for name, value in vars(out_maps).items()}
        out_maps = replace(out_maps, **values)
        loss, _ = midline_loss(out_maps, batch)
        real = more["real"]
        if similarity and real.any():
            h = batch.ideal.shape[-1]
            x = functional.adaptive_avg_pool2d(denoiser_input(batch.hu, GRID), h)
            image = compare_images(
                similarity, x[real], more["healthy"][real], out_maps.displacement[real] / 2, batch.inside[real, None]
            )
            loss = loss + IMAGE_WEIGHT[similarity] * image
        rate = min(1.0, (number + 1) / WARM_UP) * (0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * number / len(files))))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        if number >= (1 - AVERAGED) * len(files):
            average.update_parameters(network)
        if (number + 1) % 20 == 0:
            click.echo(f"{arm} fold {fold} step {number + 1} loss {float(loss.detach()):.3f}")
    statistics = (_load(path, fold, denoised) for path in files[:STATISTICS])
    with torch.autocast("cpu", torch.bfloat16):
        torch.optim.swa_utils.update_bn((_inputs(*one, with_difference) for one in statistics), average)
    network.load_state_dict(average.module.state_dict())
    networks = {"pose": start.network("pose"), "deformation": network.eval()}
    description = replace(start.description, name=f"{arm}.{fold}")
    if with_difference:
        model = load_model(denoiser)
        networks["denoiser"] = model.network("denoiser")
        description = replace(description, noise=model.noise | {"gain": GAIN})
    save_model(out, description, networks)


@main.command()
@work_option
@fold_option
@click.option("--arm", required=True, help="Arm, or 'start' for the model that all start from.")
@click.option("--set", "dataset", required=True, type=click.Path(path_type=Path))
@click.option("--phantoms", type=click.Path(path_type=Path), help="Phantoms that no arm saw; without them scans only.")
def measure(work, fold, arm, dataset, phantoms):
    """Measure the scans of a fold, and its share of the phantoms and of known shifts."""
    path = work / f"{arm}.{fold}.json"
    if path.exists():
        return
    model = load_model() if arm == "start" else load_model(work / f"{arm}.{fold}")
    settings = parse_settings(ShiftSettings, model.readout, "readout")
    cases = [case for case in load_dataset(dataset) if case.fold == fold]
    result: dict = {"scans": {}, "phantoms": {}, "known": []}
    unshifted = sorted(case.name for case in cases if case.shifted is False)[:HEADS_WITH_WARPS]
    for case in tqdm(cases, desc=f"{arm}.{fold}"):
        ct, _ = case.read()
        found = _measured(ct, model)
        result["scans"][case.name] = _row(found)
        if phantoms and case.name in unshifted and found.refused is None:
            base = load_model()
            course = found if arm == "start" else _measured(ct, base)  # every arm gets the same push
            for amount in amplitudes(case.name, WARPS, 0):
                warped = known_shift(ct, course, amount, settings).apply(ct)
                change = _measured(warped, model).signed_shift_mm
                row = {"case": case.name, "amplitude_mm": amount}
                row["change_mm"] = None if change is None else change - found.signed_shift_mm
                result["known"].append(row)
    files = phantom_files(phantoms) if phantoms else []
    for one in files[fold :: len({case.fold for case in load_dataset(dataset)})]:
        ct, entries = phantom_scan(one)
        row = _row(_measured(ct, model)) | {"truth_mm": phantom_truth(entries, settings)}
        result["phantoms"][one.stem] = row
    path.with_suffix(".part").write_text(json.dumps(result))
    shutil.move(path.with_suffix(".part"), path)


def _measured(ct: HeadCT, model: Model):
    return measure_case(ct, lambda: (model, "cpu"), case_id="").measurement


def _row(found) -> dict:
    """What the table needs of a measurement."""
    return {
        "shift_mm": found.signed_shift_mm,
        "interval_mm": found.interval_mm,
        "slices": {str(one.index): one.signed_shift_mm for one in found.slices},
    }


if __name__ == "__main__":
    main()

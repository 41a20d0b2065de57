"""Does the noise difference say where the measurement errs? Its features of each scan, against the errors of a measurement.

``collect`` computes, for every scan of a set, how strong the noise difference is near the midline; ``judge`` asks whether
absolute errors that ``diffusion_protocol.py measure`` left go with it, beyond what the model's own interval says.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import torch
from diffusion_table import slice_truth
from scipy import ndimage, stats
from tqdm import tqdm

from midlineshift_training.datasets.annotated.load import load_dataset
from midlineshift_training.evaluation import bootstrap
from MidlineShiftLogic.inference.aligned_slices import AlignedSlices
from MidlineShiftLogic.inference.noise_difference import NoiseSettings, noise_channel
from MidlineShiftLogic.inference.pose import estimate_pose
from MidlineShiftLogic.models.folder import denoiser_pair, load_model
from MidlineShiftLogic.models.settings import parse_settings

NEAR_MM, LENGTH_MM = 20.0, 60.0
"""Half width and half length, frame millimetres, of the piece around the midline that is looked at."""
HEIGHTS_MM = (-2.0, 28.0)
SMOOTHING_PX = 1.5
FEATURES = ("strength", "oddness")


@click.group()
def main():
    """Noise difference as evidence for the width of the interval."""


@main.command()
@click.option("--set", "dataset", required=True, type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Model with a class-conditional denoiser.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def collect(dataset, model, out):
    """Write the features of each slice of each scan as JSON."""
    loaded = load_model(model)
    found = {}
    for case in tqdm(load_dataset(dataset)):
        ct, _ = case.read()
        pose = estimate_pose(ct, loaded.network("pose"), **loaded.grid_of("pose"), device=torch.device("cpu"))
        chosen = np.flatnonzero((pose.height > HEIGHTS_MM[0]) & (pose.height < HEIGHTS_MM[1]))
        found[case.name] = dict(zip(map(str, chosen), slice_features(ct, loaded, pose, chosen), strict=True))
    out.write_text(json.dumps(found))


@torch.inference_mode()
def slice_features(ct, model, pose, chosen: np.ndarray) -> list[dict[str, float]]:
    """``strength`` (mean of its size, smoothed) and ``oddness`` (of what differs between left and right) of slices."""
    noise = parse_settings(NoiseSettings, model.noise, "noise")
    grid = model.grid_of("deformation")
    hu = AlignedSlices(ct, pose.frame(**grid), chosen).cut(slice(0, len(chosen)), "cpu")
    heights = torch.as_tensor(pose.height[chosen], dtype=torch.float32)
    difference = noise_channel(hu, *denoiser_pair(model)(heights), noise)[:, 0].numpy()
    smooth = ndimage.gaussian_filter(difference, (0, SMOOTHING_PX, SMOOTHING_PX))
    middle, across, along = (
        round(one / grid["pixel_mm"]) for one in (grid["size"] * grid["pixel_mm"] / 2, NEAR_MM, LENGTH_MM)
    )
    near = smooth[:, middle - along : middle + along, middle - across : middle + across]
    odd = (near - near[..., ::-1]) / 2
    return [
        {"strength": float(np.abs(one).mean()), "oddness": float(np.abs(other).mean())}
        for one, other in zip(near, odd, strict=True)
    ]


@main.command()
@click.option("--features", required=True, type=click.Path(path_type=Path))
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the protocol.")
@click.option("--arm", default="start")
@click.option("--set", "dataset", required=True, type=click.Path(path_type=Path))
def judge(features, work, arm, dataset):
    """Print how errors, and errors over the interval's half width, go with the features (Spearman, by slice)."""
    known = json.loads(features.read_text())
    rows = []
    for path in sorted(work.glob(f"{arm}.*.json")):
        for case, row in json.loads(path.read_text())["scans"].items():
            half = (row["interval_mm"][1] - row["interval_mm"][0]) / 2 if row["interval_mm"] else np.nan
            for index, truth in slice_truth(dataset).get(case, {}).items():
                feature, value = known[case].get(str(index)), row["slices"].get(str(index))
                if feature and value is not None:
                    rows.append((case, abs(value - truth), half, abs(value), *(feature[name] for name in FEATURES)))
    cases, error, half, size = (np.array(column) for column in list(zip(*rows, strict=True))[:4])
    click.echo(f"{len(rows)} slices of {len(set(cases))} scans\n")
    for number, name in enumerate(FEATURES):
        feature = np.array([row[4 + number] for row in rows])
        for said, value in (("error", error), ("error / half width", error / half), ("size of shift", size)):
            click.echo(f"{name} and {said}: {_correlation(cases, feature, value)}")


def _correlation(cases: np.ndarray, a: np.ndarray, b: np.ndarray) -> str:
    """Spearman's rank correlation with its interval by bootstrap over scans."""
    kept = np.isfinite(a) & np.isfinite(b)
    ranks = [stats.rankdata(one[kept]) for one in (a, b)]
    weights = bootstrap.draw_weights(cases[kept])
    means = [bootstrap.mean(weights, one) for one in ranks]
    product = bootstrap.mean(weights, ranks[0] * ranks[1]) - means[0] * means[1]
    spread = [np.sqrt(bootstrap.mean(weights, one**2) - m**2) for one, m in zip(ranks, means, strict=True)]
    found = bootstrap.interval(product / (spread[0] * spread[1]))
    return f"{found['value']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"


if __name__ == "__main__":
    main()

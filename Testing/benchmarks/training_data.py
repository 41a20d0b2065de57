"""How many training slices a second the data sets make on one core: ``python Testing/benchmarks/training_data.py``.

Phantoms are drawn (a few ellipses), so that nothing has to be generated first. The step itself is measured by
``training_speed.py``; a data set must be several times faster than the step that it feeds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

FRAME = (128, 1.8, 198.0)
BATCH = 16


def datasets(folder: Path) -> dict:
    """Name -> data set of the three kinds of training batches."""
    from drawn_phantoms import draw_cohort

    from midlineshift_training.datasets.aligned_slices import load_aligned
    from midlineshift_training.datasets.denoiser_dataset import DenoiserDataset, DenoiserDataSettings
    from midlineshift_training.datasets.midline_dataset import MidlineDataset
    from midlineshift_training.datasets.phantom_slices import load_phantoms
    from midlineshift_training.datasets.phantoms.files import phantom_files
    from midlineshift_training.datasets.transforms.frame_variation import FrameVariation

    files = phantom_files(draw_cohort(folder, 4))
    slices = load_phantoms(files)
    aligned = load_aligned(files, "all", *FRAME, non_mls_below_mm=1.5, heights_mm=(-25.0, 70.0))
    drawn = DenoiserDataSettings(BATCH, 64, 1000, None, 1.5, 15.0, 0.06, 0.7, degraded_share=0.5)
    midline = {
        "pose, 128 px": MidlineDataset(slices, BATCH, 10_000, FrameVariation(broad=True), *FRAME, seed=0),
        "deformation, 256 px": MidlineDataset(
            slices, BATCH, 10_000, FrameVariation(broad=False), *FRAME, seed=0, upsampling=2
        ),
    }
    return midline | {"denoiser, half degraded": DenoiserDataset(aligned, drawn, 0, 0, 10_000)}


@click.command()
@click.option(
    "--batches", default=12, show_default=True, type=click.IntRange(min=1), help="Batches measured of each kind."
)
def main(batches: int) -> None:
    """Print milliseconds of processor time a slice, for each kind of training batch."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, dataset in datasets(Path(folder)).items():
            dataset[0]
            started = time.process_time()
            for number in range(batches):
                dataset[number]
            took = 1000 * (time.process_time() - started) / batches / BATCH
            click.echo(f"{name}: {took:.1f} ms a slice, {1000 / took:.0f} slices a second")


if __name__ == "__main__":
    main()

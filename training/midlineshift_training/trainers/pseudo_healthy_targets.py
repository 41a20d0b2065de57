"""Pseudo-healthy slices, the targets of the image term: made anew at every step, or once and kept.

Made anew, a slice takes 15 passes of both denoisers each time it is seen, 100 times over the authors' 100 epochs; what is
lost by keeping the first one is the variety of its noise (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from midlineshift_training.datasets.landmark_dataset import LandmarkBatch, vary
from midlineshift_training.trainers.run_folder.atomic_write import write_atomic
from midlineshift_training.trainers.settings.denoising import Ddim
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.models.weights import read_weights
from MidlineShiftLogic.networks.diffusion import Network, Schedule, pseudo_healthy

FILE = "pseudo_healthy.safetensors"
ONCE = "once"
"""Value of the setting ``pseudo_healthy`` by which targets are made once and kept."""


def make_pseudo_healthy(
    denoisers: tuple[Network, Network], schedule: Schedule, x: Tensor, ddim: Ddim, g: torch.Generator
) -> Tensor:
    """Denoise slices from DDIM step ``start`` of ``count`` with guidance toward the non-MLS denoiser.

    Args:
        denoisers: (conditional, unconditional). x: (N, 1, H, W) in -1..1.
        ddim: steps and guidance.
        g: of the noise, on the CPU.

    Returns:
        (N, 1, H, W) in -1..1.
    """
    with torch.no_grad():
        noise = torch.randn(x.shape, generator=g).to(x)
        return pseudo_healthy(*denoisers, schedule, x, noise, **ddim.model_dump(exclude={"noises"}))


class PseudoHealthyTargets:
    """One pseudo-healthy slice for each slice of the store, varied as the batch is.

    Args:
        images: (S, 1, H, W) float16.
    """

    def __init__(self, images: Tensor):
        self.images = images

    def of(self, batch: LandmarkBatch) -> Tensor:
        """Return (B, 1, H, W) in -1..1, -1 outside."""
        kept = self.images[batch.index.cpu()].to(batch.hu.device).float()
        return vary(kept + 1, batch.transform) - 1


def load_or_make_targets(run: Path, count: int, make: Callable[[], object], first: bool = True) -> PseudoHealthyTargets:
    """Load the targets kept in a run folder, or newly made ones, which are kept there.

    Args:
        run: run folder. count: slices of the store. make: gives (N, 1, H, W) of the store's slices, batch by batch.
        first: whether this process is the one that writes.

    Raises:
        InputError: the file in the folder is of other slices, or damaged.
    """
    path = run / FILE
    if path.exists():
        images = read_weights(path).get("pseudo_healthy")
        if images is None or len(images) != count:
            raise InputError(f"{path} is not of the slices of this run; remove it and resume.", "pseudo-healthy")
        return PseudoHealthyTargets(images.half())
    images = torch.cat([one.half().cpu() for one in tqdm(make(), desc="pseudo-healthy", unit="batch", disable=None)])
    if first:
        write_atomic(path, lambda partial: save_file({"pseudo_healthy": images}, partial))
    return PseudoHealthyTargets(images)

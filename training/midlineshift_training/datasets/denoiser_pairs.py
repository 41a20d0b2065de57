"""Slices and batches for one class-conditional denoiser: any slice, unshifted ones, and shifted ones with their twins.

A denoiser of unshifted heads never meets a shifted slice in training, so what it makes of one is left to chance, and at low
noise it keeps the shift that it sees. Here it also learns from pairs: of a shifted slice with noise it is to predict the
noise that would lead to the unshifted twin. Twins are known of phantoms (``phantoms.twins``) and of real unshifted slices
that are bent by a known warp (``transforms.midline_warp``), so that real texture is learned from without any reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from midlineshift_training.datasets.annotated_slices import AnnotatedSlices
from midlineshift_training.datasets.midline_dataset import cut_midline_batch
from midlineshift_training.datasets.phantom_slices import load_phantoms, take
from midlineshift_training.datasets.phantoms.files import read_phantom
from midlineshift_training.datasets.slice_cache import map_phantoms
from midlineshift_training.datasets.transforms.degrade import degrade
from midlineshift_training.datasets.transforms.frame_variation import AffineVariation, FrameVariation, draw_affine
from midlineshift_training.datasets.transforms.midline_warp import bend, draw_warps
from midlineshift_training.datasets.transforms.pooling import block_means
from MidlineShiftLogic.errors import InputError
from MidlineShiftLogic.geometry.resampling import sample
from MidlineShiftLogic.inference.window import BRAIN_WINDOW_HU, window
from MidlineShiftLogic.masks import largest_component
from MidlineShiftLogic.networks.denoiser import NULL_CLASS, UNSHIFTED_CLASS

TwinKind = Literal["straightened", "opened"]
"""Twin with ventricles and sulci as empty as a mass made them, so that nothing but the displacement is undone; or as they
would be without the mass, which nothing in the slice tells."""
AIR_HU = -1000.0
NO_TWIN = -1
UNSHIFTED_BELOW_MM = 1.0
"""A labelled slice that shifts by less counts as unshifted: readers differ by as much."""
WARP = FrameVariation(broad=False, bend=1.0, bend_mm=21.0, asymmetric=0.0)
"""How unshifted slices are bent into shifted ones."""
BONE_HU = 150.0
_INSIDE_GRID = 64
"""Grid of the inside of the skull, half of the one on which the sizes of the degradations are right."""
_BATCH = 16


@dataclass
class DenoiserSlices:
    """S slices in the aligned frame, twice as fine as the denoiser's grid.

    Attributes:
        hu: (S, size, size) float16. inside: (S, 64, 64) bool, inside of the skull; all False: not known.
        height: (S,) mm above the anterior-commissure level.
        unshifted: (S,) bool. twin: (S,) number of the slice's unshifted twin, ``NO_TWIN`` without one.
        real: (S,) bool.
    """

    hu: Tensor
    inside: Tensor
    height: Tensor
    unshifted: Tensor
    twin: Tensor
    real: Tensor

    def __len__(self) -> int:
        return len(self.hu)


def join(parts: Sequence[DenoiserSlices]) -> DenoiserSlices:
    """Return several stores in one, in their order."""
    twins, first = [], 0
    for part in parts:
        twins.append(torch.where(part.twin == NO_TWIN, NO_TWIN, part.twin + first))
        first += len(part)
    names = [name for name in DenoiserSlices.__dataclass_fields__ if name != "twin"]
    return DenoiserSlices(**{n: torch.cat([getattr(part, n) for part in parts]) for n in names}, twin=torch.cat(twins))


def cut_twins(
    files: Sequence[Path],
    size: int,
    pixel_mm: float,
    frame_mm: float,
    heights_mm: tuple[float, float],
    cache: Path | None = None,
    twin: TwinKind = "straightened",
) -> DenoiserSlices:
    """Cut phantoms and their unshifted twins, one file in memory at a time.

    Args:
        files: phantom files; those without a twin are left out. size, pixel_mm: grid to keep the slices on.
        frame_mm: falx length in the frame. heights_mm: lowest and highest slice.
        cache: folder of slices cut before (``slice_cache``); None: without.
        twin: which twin; phantoms of earlier versions have the opened one only, and are cut with that.

    Raises:
        InputError: a file is damaged, or no phantom has a twin.
    """
    settings = (size, pixel_mm, frame_mm, heights_mm, twin)
    parts = map_phantoms(_cut_with_twin, files, settings, cache, "aligning with twins")
    if not parts:
        raise InputError(
            f"None of the {len(files)} phantoms has an unshifted twin; make some with 'midlineshift-train phantoms "
            "--twins'.",
            "no-data",
        )
    return join([DenoiserSlices(**one) for one in parts])


def _cut_with_twin(
    path: Path, size: int, pixel_mm: float, frame_mm: float, heights_mm: tuple[float, float], twin: TwinKind
) -> dict[str, Tensor]:
    """Return fields of ``DenoiserSlices`` for a phantom and its twin; empty without a twin."""
    entries = read_phantom(path)
    if "twin_hu" not in entries:
        return {}
    try:
        shifted = load_phantoms([path])
    except InputError as error:
        if error.code == "no-data":  # no slice of this head shows the falx: there is nothing to align it by
            return {}
        raise
    chosen = (shifted.height > heights_mm[0]) & (shifted.height < heights_mm[1])
    shifted = take(shifted, chosen)
    count = len(shifted)
    if not count:
        return {}
    grid = (size, pixel_mm, frame_mm)
    hu, inside = _cut(shifted, *grid)
    shifted.hu = torch.from_numpy(_twin_hu(entries, twin))[chosen]
    twin_hu, _ = _cut(shifted, *grid)
    numbers = torch.arange(count)
    return {
        "hu": torch.cat([hu, twin_hu]),
        "inside": inside.repeat(2, 1, 1),
        "height": shifted.height.repeat(2),
        "unshifted": torch.cat([torch.zeros(count), torch.ones(count)]).bool(),
        "twin": torch.cat([numbers + count, torch.full((count,), NO_TWIN)]),
        "real": torch.zeros(2 * count, dtype=torch.bool),
    }


def _twin_hu(entries: Mapping[str, np.ndarray], twin: TwinKind) -> np.ndarray:
    """Return (n, H, W) HU of the twin, with the noise of the phantom."""
    if twin == "opened" or "clean_straight_hu" not in entries:
        return entries["twin_hu"]
    noise = entries["hu"].astype(np.float32) - entries["clean_hu"]
    return entries["clean_straight_hu"] + noise


def _cut(slices, size: int, pixel_mm: float, frame_mm: float) -> tuple[Tensor, Tensor]:
    """Return HU (S, size, size) float16 and inside of the skull (S, 64, 64), in the true frame."""
    hu, inside = [], []
    for index in torch.arange(len(slices)).split(_BATCH):
        batch = cut_midline_batch(slices, index, None, size, pixel_mm, frame_mm, torch.Generator())
        hu.append(batch.hu.half())
        inside.append(block_means(batch.inside, _INSIDE_GRID) > 0.5)
    return torch.cat(hu), torch.cat(inside)


def of_annotated(slices: AnnotatedSlices) -> DenoiserSlices:
    """Return slices of real scans: unshifted are those of unshifted cases, and labelled ones that hardly shift."""
    count = len(slices)
    return DenoiserSlices(
        hu=slices.hu,
        inside=inside_of_bone(slices.hu),
        height=slices.height.nan_to_num(0.0),
        unshifted=(slices.shifted == 0) | (slices.true_mm < UNSHIFTED_BELOW_MM),
        twin=torch.full((count,), NO_TWIN),
        real=torch.ones(count, dtype=torch.bool),
    )


def inside_of_bone(hu: Tensor) -> Tensor:
    """Return (S, 64, 64) bool: what the bone of a slice encloses; all False where it encloses nothing."""
    coarse = block_means(hu.float()[:, None], _INSIDE_GRID)[:, 0].numpy()
    inside = np.zeros(coarse.shape, bool)
    for one, image in zip(inside, coarse, strict=True):
        bone = image > BONE_HU
        one[:] = largest_component(ndimage.binary_fill_holes(ndimage.binary_closing(bone, iterations=2)) & ~bone)
    return torch.from_numpy(inside)


@dataclass
class PairedBatch:
    """B slices with what a class-conditional denoiser is to make of them.

    Attributes:
        x: (B, 1, grid, grid) in -1..1, the slices that get noise. target: like x, what they are denoised toward: themselves,
            or their unshifted twins.
        classes: (B,) ``NULL_CLASS`` or ``UNSHIFTED_CLASS``. heights: (B,) mm. paired: (B,) bool, target is a twin.
        timesteps: (B,) noise levels. noise: like x.
    """

    x: Tensor
    target: Tensor
    classes: Tensor
    heights: Tensor
    paired: Tensor
    timesteps: Tensor
    noise: Tensor


@dataclass(frozen=True)
class PairSettings:
    """What a ``PairedDataset`` draws.

    Attributes:
        batch: slices a batch. grid: pixels of the denoiser's input. frame_mm, frame_width_mm: falx length and width of the
            frame. largest_t: noise levels drawn are below it.
        null_share, paired_share: of slices of any kind without a class, and of shifted ones toward their twins; the others
            are unshifted ones toward themselves. real_share: of real slices, where there are any.
        affine: flip, turn, size and place. degraded_share: of slices that get what phantoms lack.
        height_jitter_mm: spread of the error of the height.
    """

    batch: int
    grid: int
    frame_mm: float
    frame_width_mm: float
    largest_t: int
    null_share: float
    paired_share: float
    real_share: float
    affine: AffineVariation
    degraded_share: float
    height_jitter_mm: float


class PairedDataset(Dataset):
    """Batch number -> PairedBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Args:
        slices: to draw from. settings: what is drawn. seed: with the batch's number, seeds everything random.
        first, count: numbers of the batches ``first`` .. ``first + count - 1``.
    """

    def __init__(self, slices: DenoiserSlices, settings: PairSettings, seed: int, first: int, count: int):
        self.slices, self.settings, self.seed, self.first, self.count = slices, settings, seed, first, count
        number, kinds = torch.arange(len(slices)), {True: slices.real, False: ~slices.real}
        self.any = {real: number[mask] for real, mask in kinds.items()}
        self.unshifted = {real: number[mask & slices.unshifted] for real, mask in kinds.items()}
        self.with_twin = number[slices.twin != NO_TWIN]
        if not len(self.unshifted[True]) and not len(self.unshifted[False]):
            raise InputError(
                "No slice is known to be unshifted; give unshifted scans or phantoms with twins.", "no-data"
            )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> PairedBatch:
        if number >= self.count:
            raise IndexError(number)
        s = self.settings
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + self.first + number)
        chance = torch.rand(s.batch, 4, generator=g)
        null = chance[:, 0] < s.null_share
        paired = ~null & (chance[:, 0] < s.null_share + s.paired_share)
        index, bent, twin = self._draw(chance, null, paired, g)
        hu, target, inside = self._cut(index, bent, twin, g)
        hu, target = self._degrade(hu, target, inside, chance[:, 3] < s.degraded_share, g)
        x, y = (block_means(window(one, BRAIN_WINDOW_HU)[:, None], s.grid) for one in (hu, target))
        return PairedBatch(
            x=x,
            target=torch.where(paired[:, None, None, None], y, x),
            classes=torch.where(null, NULL_CLASS, UNSHIFTED_CLASS),
            heights=self.slices.height[index] + s.height_jitter_mm * torch.randn(s.batch, generator=g),
            paired=paired,
            timesteps=torch.randint(0, s.largest_t, (s.batch,), generator=g),
            noise=torch.randn(x.shape, generator=g),
        )

    def _draw(self, chance: Tensor, null: Tensor, paired: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return slices (B,), whether each is bent, and the slices that stand for their targets."""
        chosen, bent, twins = [], [], []
        for k in range(len(chance)):
            real = bool(chance[k, 1] < self.settings.real_share)
            bend_it = bool(paired[k]) or (bool(null[k]) and bool(chance[k, 2] < 0.4))
            pool = self.unshifted if bend_it or not null[k] else self.any
            numbers = pool[real] if len(pool[real]) else pool[not real]
            of_phantoms = bend_it and not real and len(self.with_twin) and chance[k, 2] < 0.65
            if of_phantoms:
                numbers, bend_it = self.with_twin, False
            one = int(numbers[torch.randint(len(numbers), (1,), generator=g)])
            chosen.append(one)
            bent.append(bend_it)
            twins.append(int(self.slices.twin[one]) if of_phantoms else one)
        return torch.tensor(chosen), torch.tensor(bent), torch.tensor(twins)

    def _cut(self, index: Tensor, bent: Tensor, twin: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """HU (B, size, size) of the slices, bent where they are to be, and of their targets, and the inside of the skull."""
        s, count, size = self.settings, len(index), self.slices.hu.shape[-1]
        half_mm = s.frame_width_mm / 2
        transform = draw_affine(count, s.affine, s.grid, g)
        points = functional.affine_grid(transform, [count, 1, size, size], align_corners=False)
        anterior, posterior = (torch.tensor([[0.0, sign * s.frame_mm / 2]]).expand(count, -1) for sign in (-1, 1))
        amount = bend(points * half_mm, anterior, posterior, draw_warps(count, WARP, g)) / half_mm
        # the midline stands on the y axis: tissue is pushed along x
        pushed = points - torch.stack([amount * bent[:, None, None], torch.zeros_like(amount)], -1)
        hu, target = (
            sample(self.slices.hu[chosen].float()[:, None] - AIR_HU, place, padding="zeros", edges=True)[:, 0] + AIR_HU
            for chosen, place in ((index, pushed), (twin, points))
        )
        coarse = functional.affine_grid(transform, [count, 1, _INSIDE_GRID, _INSIDE_GRID], align_corners=False)
        inside = sample(self.slices.inside[index].float()[:, None], coarse, padding="zeros", edges=True)[:, 0] > 0.5
        return hu, target, inside.float()

    def _degrade(
        self, hu: Tensor, target: Tensor, inside: Tensor, chosen: Tensor, g: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the same degradations on slice and target, on the grid that their sizes are right for."""
        hu, target = (block_means(one[:, None], 2 * _INSIDE_GRID)[:, 0] for one in (hu, target))
        # where the skull is open or cut off, nothing is known of its inside
        for k in torch.nonzero(chosen & inside.flatten(1).any(1))[:, 0].tolist():
            seed = int(torch.randint(2**31, (1,), generator=g))
            for one in (hu, target):
                one[k : k + 1] = degrade(one[k : k + 1], inside[k : k + 1], torch.Generator().manual_seed(seed))
        return hu, target

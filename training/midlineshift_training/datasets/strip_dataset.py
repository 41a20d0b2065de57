"""Training batches for the refinement network: strips along first midlines, and where the true midline is in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from midlineshift_training.datasets.midline_dataset import MidlineBatch, MidlineDataset
from midlineshift_training.datasets.phantom_slices import (
    LABELLED_SHARE,
    UNLABELLED_SHARE,
    PhantomSlices,
    sampling_weights,
)
from midlineshift_training.datasets.transforms.effaced_ventricle import efface
from midlineshift_training.datasets.transforms.first_midlines import draw_first_errors
from midlineshift_training.datasets.transforms.frame_variation import FrameVariation
from MidlineShiftLogic.geometry.midline_strip import StripGrid, cut_strips
from MidlineShiftLogic.geometry.resampling import sample

UNMEASURABLE_SHARE = 0.02
"""Share of slices whose falx does not show from end to end. There is no loss for them."""


@dataclass
class StripBatch:
    """One batch of strips; lengths are frame millimetres, curves are given at ``StripGrid.fractions``.

    Attributes:
        strips: (B, row_samples * rows, columns) HU.
        first: (B, rows) the first midline's distance from the ideal one, where the strips' middle column is.
        deviation: (B, rows) the true midline's distance from the ideal one, positive toward the patient's left.
        known: (B, rows) how well the true midline is known there, 0..1.
        measurable: (B,) 1 where the falx shows from end to end, else 0.
        weight: (B,) of the slice in the loss, 0..1.
        scale: (B,) scan millimetres to a frame millimetre.
    """

    strips: torch.Tensor
    first: torch.Tensor
    deviation: torch.Tensor
    known: torch.Tensor
    measurable: torch.Tensor
    weight: torch.Tensor
    scale: torch.Tensor

    @property
    def target(self) -> torch.Tensor:
        """Return (B, rows) mm from the strips' middle to the true midline."""
        return self.deviation - self.first


def midline_at_rows(batch: MidlineBatch, grid: StripGrid, pixel_mm: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the true midline at the rows of strips; beyond the attachments it is held.

    Args:
        batch: slices with their truth. grid: rows of the strips. pixel_mm: frame mm of a frame pixel.

    Returns:
        (B, rows) frame mm from the ideal midline to the true one, and (B, rows) how well that is known, 0..1.
    """
    anterior, posterior = batch.ends.unbind(1)
    fractions = grid.fractions.clamp(0, 1)
    points = anterior[:, None] + fractions[:, None] * (posterior - anterior)[:, None]
    half = batch.ideal.shape[-1] - 1  # frame pixels from the middle to the outermost nodes, which are 2 apart
    maps = torch.stack([batch.ideal - batch.deformed, batch.known], 1)
    deviation, known = sample(maps, (points / half)[:, None], padding="border")[:, :, 0].unbind(1)
    return deviation * pixel_mm, known


def cut_strip_batch(
    batch: MidlineBatch,
    grid: StripGrid,
    pixel_mm: float,
    upsampling: int,
    g: torch.Generator,
    effaced_share: float = 0.0,
) -> StripBatch:
    """Cut strips along first midlines that are drawn about the true ones.

    Args:
        batch: slices with their truth. grid: rows and columns. pixel_mm: frame mm of a frame pixel.
        upsampling: of the slices. g: source of every random number.
        effaced_share: part of the strips with one lateral ventricle emptied; 0 draws nothing.
    """
    deviation, known = midline_at_rows(batch, grid, pixel_mm)
    first = deviation + draw_first_errors(deviation, grid.fractions, g)
    anterior, posterior = batch.ends.unbind(1)
    strips = cut_strips(batch.hu, anterior, posterior, first, pixel_mm, grid, upsampling)
    if effaced_share:
        strips = efface(strips, deviation - first, grid, effaced_share, g)
    return StripBatch(
        strips=strips,
        first=first,
        deviation=deviation,
        known=known,
        measurable=batch.measurable,
        weight=batch.weight,
        scale=batch.mm / pixel_mm,
    )


class StripDataset(Dataset):
    """Batch number -> StripBatch, the same for the same seed whenever it is asked for.

    Args:
        slices: the store.
        grid: rows and columns of the strips.
        batch_size: slices a batch. batches: length of the data set.
        variation, upsampling: see ``cut_midline_batch``. frame: size, pixel_mm, frame_mm.
        seed: with the batch's number, seeds everything random.
        first: number of the first batch (where a resumed run goes on).
        unlabelled_share, labelled_share: see ``sampling_weights``.
        effaced_share: see ``cut_strip_batch``.
    """

    def __init__(
        self,
        slices: PhantomSlices,
        grid: StripGrid,
        batch_size: int,
        batches: int,
        variation: FrameVariation,
        frame: tuple[int, float, float],
        seed: int,
        first: int = 0,
        upsampling: int = 2,
        unlabelled_share: float = UNLABELLED_SHARE,
        labelled_share: float = LABELLED_SHARE,
        effaced_share: float = 0.0,
    ):
        self.grid, self.effaced_share = grid, effaced_share
        self.whole = MidlineDataset(slices, batch_size, batches, variation, *frame, seed, first, upsampling)
        self.whole.weights = sampling_weights(slices, UNMEASURABLE_SHARE, unlabelled_share, labelled_share)

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, number: int) -> StripBatch:
        g = self.whole.generator(number)
        frame = self.whole.pixel_mm, self.whole.upsampling
        return cut_strip_batch(self.whole.cut(g), self.grid, *frame, g, self.effaced_share)

"""Training batches for the midline networks: phantom slices re-cut into the network's frame with strong variation.

Two regimes: *broad* for the pose network (any yaw, size, place) and *aligned* for the deformation network (the small
errors that the pose step leaves). Midlines are bent further by smooth in-plane warps, and the truth is carried along.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from midlineshift_training.datasets.midline_truth import find_deviation, interpolate_fractions
from midlineshift_training.datasets.phantom_slices import (
    LABELLED_SHARE,
    UNLABELLED_SHARE,
    PhantomSlices,
    sampling_weights,
)
from midlineshift_training.datasets.transforms import degrade, midline_warp, unequal_ventricles
from midlineshift_training.datasets.transforms.frame_variation import (
    UNVARIED,
    Frames,
    FrameVariation,
    draw_frames,
    true_frames,
)
from midlineshift_training.datasets.transforms.midline_warp import (
    CarriedAttachments,
    WarpParameters,
    bend,
    carry_attachments,
    draw_warps,
    line_axes,
)
from midlineshift_training.datasets.transforms.unequal_ventricles import draw_widening
from MidlineShiftLogic.geometry.resampling import Padding, sample

SEPTUM_FRACTION = 0.38
"""Fraction of the ideal midline, from its anterior end, at which the septum pellucidum is."""
OVERSAMPLING = 2
"""Slices are sampled so many times finer than the grid and averaged, against aliasing."""
AIR_HU = -1000.0


@dataclass
class MidlineBatch:
    """One batch; the grid has ``size`` pixels, maps are on the half grid; lengths in frame pixels.

    Attributes:
        hu: (B, upsampling size, upsampling size) HU in the frame, degraded.
        displacement: (B, 2, h, h) rows, columns.
        ideal, deformed: (B, h, h) signed distances to the ideal and the deformed midline, both measured along the ideal
            line's normal; their difference is the shift at that fraction of the line.
        inside: (B, h, h) 0 or 1.
        ends: (B, 2, 2) falx attachments (x, y) from the grid's middle, anterior first.
        shifted: (B, 2) the deformed midline's point at the septum, from the grid's middle.
        measurable: (B,) 1 where the falx shows from end to end, else 0. height: (B,) mm above the anterior-commissure level.
        case_limit: (B,) largest |u| of the truth in the slice. mm: (B,) scan millimetres a frame pixel.
        known: (B, h, h) how well the deformed midline is known at that fraction of the ideal one, 0..1; all 1 for phantoms.
        weight: (B,) of the slice in the loss, 0..1.
    """

    hu: torch.Tensor
    displacement: torch.Tensor
    ideal: torch.Tensor
    deformed: torch.Tensor
    inside: torch.Tensor
    ends: torch.Tensor
    shifted: torch.Tensor
    measurable: torch.Tensor
    height: torch.Tensor
    case_limit: torch.Tensor
    mm: torch.Tensor
    known: torch.Tensor
    weight: torch.Tensor


def cut_midline_batch(
    slices: PhantomSlices,
    index: torch.Tensor,
    variation: FrameVariation | None,
    size: int,
    pixel_mm: float,
    frame_mm: float,
    g: torch.Generator,
    upsampling: int = 1,
) -> MidlineBatch:
    """Cut a batch out of the store.

    Args:
        slices: the store. index: (B,) slices to take.
        variation: how to vary the frame; None: the true frame, nothing varied and nothing degraded (for validation).
        size, pixel_mm: the frame's grid. frame_mm: frame length of the falx in the true frame.
        g: source of every random number.
        upsampling: 1, or 2 for slices sampled twice as densely as the grid in whose pixels the truth is given.
    """
    count, h = len(index), size // 2
    frames = _frames(slices, index, variation, frame_mm, g)
    anterior, posterior = frames.to_frame(slices.anterior[index]), frames.to_frame(slices.posterior[index])
    warp = draw_warps(count, variation or UNVARIED, g)
    coarse = _grid(h, 2 * pixel_mm).expand(count, -1, -1, -1)
    pixel = slices.pixel_mm[index]
    skull_interior = slices.inside[index].float()[:, None]

    inside_here = _sample(skull_interior, _to_block(frames, coarse, pixel), 254 * pixel, "zeros")
    loose = midline_warp.loose_tissue(inside_here, torch.rand(count, generator=g))
    carried = carry_attachments(coarse, anterior, posterior, warp, loose[:, 0])
    moved = bend(coarse, anterior, posterior, warp) + carried.warp
    _, n, _ = line_axes(anterior, posterior)
    looked_up = coarse - moved[..., None] * n[:, None, None]
    inside = (_sample(skull_interior, _to_block(frames, looked_up, pixel), 254 * pixel, "zeros")[:, 0] > 0.5).float()
    field = _sample(slices.displacement_px[index].float(), frames.to_plane(looked_up), 255 * pixel)
    field_mm = field.flip(1).movedim(1, -1) * pixel[:, None, None, None]  # (column, row) plane mm
    own = torch.einsum("bij,bhwj->bhwi", frames.inverse, field_mm)
    pulled = None
    if variation is not None and variation.unequal:
        widening = draw_widening(count, variation.unequal, g)
        beside, along = midline_warp.line_coordinates(looked_up + own, anterior, posterior)
        pulled = unequal_ventricles.pull(beside, along, widening)

    hu = _cut_slices(slices, index, frames, (anterior, posterior), warp, loose, (size, pixel_mm), upsampling, pulled)
    # unshifted, the midline is the straight line between the attachments, wherever these were carried
    u = own + (carried.line - moved)[..., None] * n[:, None, None]
    truth = _midlines(coarse, u, carried, 2 * pixel_mm)
    measurable = slices.measurable[index].float()
    if variation is not None:
        hu = degrade.fill_ventricles(hu, truth["deformed"], truth["along"], measurable, g)
        hu = degrade.degrade_some(hu, inside, variation.degraded, g)
    return MidlineBatch(
        hu=hu,
        displacement=u.flip(-1).movedim(-1, 1) / pixel_mm,
        inside=inside,
        measurable=measurable,
        height=slices.height[index],
        case_limit=(u.norm(dim=-1) * inside).amax((1, 2)) / pixel_mm,
        mm=frames.scale * pixel_mm,
        known=interpolate_fractions(slices.known[index], truth["along"]),
        weight=slices.weight[index],
        **{name: truth[name] / pixel_mm for name in ("ideal", "deformed", "ends", "shifted")},
    )


def _frames(slices, index, variation: FrameVariation | None, frame_mm: float, g: torch.Generator) -> Frames:
    if variation is None:
        return true_frames(slices, index, frame_mm)
    return draw_frames(slices, index, variation, frame_mm, g)


def _grid(count: int, step: float) -> torch.Tensor:
    """Return (count, count, 2) coordinates (x, y) of a centred grid."""
    axis = (torch.arange(count) - (count - 1) / 2) * step
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1)


def _sample(
    image: torch.Tensor, plane: torch.Tensor, extent: torch.Tensor, padding: Padding = "border"
) -> torch.Tensor:
    """Sample (B, C, H, W) whose corner nodes are at 0 and ``extent`` plane mm (B,) at (B, h, w, 2) plane mm."""
    grid = plane / extent[:, None, None, None] * 2 - 1
    return sample(image, grid, padding=padding)


def _to_block(frames: Frames, points: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """Return (B, h, w, 2) frame mm -> plane mm from the first node of the 128 grid, the middle of a block of two pixels."""
    return frames.to_plane(points) - (pixel * 0.5)[:, None, None, None]


def _cut_slices(
    slices: PhantomSlices,
    index: torch.Tensor,
    frames: Frames,
    ends: tuple[torch.Tensor, torch.Tensor],
    warp: WarpParameters,
    loose: torch.Tensor,
    grid: tuple[int, float],
    upsampling: int,
    pulled: torch.Tensor | None,
) -> torch.Tensor:
    """Return (B, upsampling size, upsampling size) HU of the warped slices on the frame's grid, air outside of the scan."""
    size, pixel_mm = grid
    full = _grid(size, pixel_mm).expand(len(index), -1, -1, -1)
    loose_full = F.interpolate(loose, size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    moved = bend(full, *ends, warp) + carry_attachments(full, *ends, warp, loose_full).warp
    if pulled is not None:
        moved = moved + F.interpolate(pulled[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    _, n, _ = line_axes(*ends)
    plane = frames.to_plane(full - moved[..., None] * n[:, None, None])
    # the map is smooth: places between the grid's points are interpolated
    fine = F.interpolate(plane.movedim(-1, 1), scale_factor=OVERSAMPLING, mode="bilinear", align_corners=False)
    hu = slices.hu[index].float()[:, None] - AIR_HU  # the zeros outside of the scan then mean air
    sampled = _sample(hu, fine.movedim(1, -1), 255 * slices.pixel_mm[index], "zeros")
    return F.avg_pool2d(sampled, OVERSAMPLING // upsampling)[:, 0] + AIR_HU


def _midlines(coarse: torch.Tensor, u: torch.Tensor, carried: CarriedAttachments, step_mm: float) -> dict:
    """The true midlines in frame mm: ``ideal``, ``deformed``, ``along`` (B, h, h), ``ends`` (B, 2, 2), ``shifted`` (B, 2)."""
    anterior, posterior = carried.anterior, carried.posterior
    d = posterior - anterior
    length = d.norm(dim=-1).clamp(min=1)
    n = torch.stack([d[:, 1], -d[:, 0]], -1) / length[:, None]
    offset = (anterior * n).sum(-1)
    ideal = torch.einsum("bhwi,bi->bhw", coarse, n) - offset[:, None, None]
    deviation = find_deviation(ideal, u, n, anterior, posterior, step_mm)
    along = torch.einsum("bhwi,bi->bhw", coarse - anterior[:, None, None], d / length[:, None] ** 2)
    at_septum = interpolate_fractions(deviation, torch.full((len(d), 1), SEPTUM_FRACTION))
    return {
        "ideal": ideal,
        "deformed": ideal - interpolate_fractions(deviation, along),
        "along": along,
        "ends": torch.stack([anterior, posterior], 1),
        "shifted": anterior + SEPTUM_FRACTION * d + at_septum * n,
    }


class MidlineDataset(Dataset):
    """Batch number -> MidlineBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Args:
        slices: the store.
        batch_size: slices a batch. batches: length of the data set.
        variation, upsampling: see ``cut_midline_batch``. size, pixel_mm, frame_mm: the frame.
        seed: with the batch's number, seeds everything random.
        first: number of the first batch (where a resumed run goes on).
        unlabelled_share, labelled_share: see ``sampling_weights``.
    """

    def __init__(
        self, slices, batch_size, batches, variation, size, pixel_mm, frame_mm, seed, first=0, upsampling=1,
        unlabelled_share=UNLABELLED_SHARE, labelled_share=LABELLED_SHARE,
    ):  # fmt: skip
        self.slices, self.batch_size, self.batches = slices, batch_size, batches
        self.variation, self.size, self.pixel_mm, self.frame_mm = variation, size, pixel_mm, frame_mm
        self.seed, self.first, self.upsampling = seed, first, upsampling
        self.weights = sampling_weights(slices, unlabelled_share=unlabelled_share, labelled_share=labelled_share)

    def __len__(self) -> int:
        return self.batches - self.first

    def __getitem__(self, number: int) -> MidlineBatch:
        return self.cut(self.generator(number))

    def generator(self, number: int) -> torch.Generator:
        """Return the source of everything random about a batch."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + self.first + number)

    def cut(self, g: torch.Generator) -> MidlineBatch:
        """Draw slices and cut them."""
        index = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=g)
        frame = (self.size, self.pixel_mm, self.frame_mm)
        return cut_midline_batch(self.slices, index, self.variation, *frame, g, self.upsampling)

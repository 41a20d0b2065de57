"""Training batches for the reading networks: phantom slices re-cut into the network's frame with strong variation.

Two regimes: *broad* for the pose network (any yaw, size, place) and *aligned* for the deformation network (the small
errors that the pose step leaves). Midlines are bent further by smooth in-plane warps, and the truth is carried along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from midlineshift_training.datasets import degrade
from midlineshift_training.datasets.phantom_store import PhantomSlices, sampling_weights

# Where along the ideal midline (from anterior) the septum pellucidum lies.
SEPTUM_FRACTION = 0.38


@dataclass(frozen=True)
class FrameVariation:
    """How far the frame of a training slice strays from the true one.

    Attributes:
        broad: True for the pose network's regime: yaw to +-45 degrees, any size, +-15 mm; False: near the true frame.
        mirror: probability of a left-right flip.
        bend: share of slices whose midline is bent by a further in-plane warp. bend_mm: its largest amplitude.
        crooked: share of slices whose falx attachments are carried sideways, each by its own amount. crooked_mm: spread of
            that amount. Heads are seldom symmetric; the falx, not the skull's symmetry, tells the ideal midline.
    """

    broad: bool
    mirror: float = 0.5
    bend: float = 0.7
    bend_mm: float = 17.0
    crooked: float = 0.75
    crooked_mm: float = 3.2


@dataclass
class ReadingBatch:
    """One batch; the grid has ``size`` pixels, maps are on the half grid; lengths in frame pixels.

    Attributes:
        hu: (B, fineness size, fineness size) HU in the frame, degraded.
        displacement: (B, 2, h, h) rows, columns.
        ideal, deformed: (B, h, h) signed distances to the ideal and the deformed midline, both measured along the ideal
            line's normal; their difference is the shift at that fraction of the line.
        inside: (B, h, h) 0 or 1.
        ends: (B, 2, 2) falx attachments (x, y) from the grid's middle, anterior first.
        shifted: (B, 2) the deformed midline's point at the septum, from the grid's middle.
        readable: (B,) 0 or 1. height: (B,) mm. case_limit: (B,) largest |u| of the truth in the slice.
        mm: (B,) scan millimetres a frame pixel.
    """

    hu: torch.Tensor
    displacement: torch.Tensor
    ideal: torch.Tensor
    deformed: torch.Tensor
    inside: torch.Tensor
    ends: torch.Tensor
    shifted: torch.Tensor
    readable: torch.Tensor
    height: torch.Tensor
    case_limit: torch.Tensor
    mm: torch.Tensor


def _grid(count: int, step: float) -> torch.Tensor:
    """(count, count, 2) coordinates (x, y) of a centred grid."""
    axis = (torch.arange(count) - (count - 1) / 2) * step
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1)


def _sample(image: torch.Tensor, plane: torch.Tensor, extent: torch.Tensor, padding: str = "border") -> torch.Tensor:
    """Sample (B, C, H, W) whose corner nodes lie at 0 and ``extent`` plane mm (B,) at (B, h, w, 2) plane mm."""
    grid = plane / extent[:, None, None, None] * 2 - 1
    return F.grid_sample(image, grid, align_corners=True, padding_mode=padding)


def _pose(slices: PhantomSlices, index: torch.Tensor, variation: FrameVariation, frame_mm: float, g: torch.Generator):
    """Matrix (B, 2, 2) and centre (B, 2) with plane = centre + matrix @ frame mm."""
    count = len(index)
    uniform = lambda *shape: torch.rand(*shape, generator=g)  # noqa: E731
    gauss = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    middle = (slices.anterior[index] + slices.posterior[index]) / 2
    true_scale = slices.falx_length[index] / frame_mm
    if variation.broad:
        turn = torch.where(uniform(count) < 0.35, (uniform(count) * 2 - 1) * 46, gauss(count) * 9)
        angle = slices.angle[index] + torch.deg2rad(turn)
        # as scanned, a frame millimetre is a scan millimetre; after the first round the falx has the frame's length
        scale = torch.where(uniform(count) < 0.5, torch.ones(count), true_scale)
        scale = scale * ((uniform(count) - 0.5) * 0.36).exp()
        centre = middle + gauss(count, 2) * torch.where(uniform(count, 1) < 0.5, 9.0, 4.0)
    else:
        turn = gauss(count) * 2.5 + (uniform(count) < 0.15) * gauss(count) * 7
        angle = slices.angle[index] + torch.deg2rad(turn)
        scale = true_scale * (1 + (uniform(count) * 2 - 1) * 0.08)
        centre = middle + gauss(count, 2) * torch.tensor([2.5, 4.0])
    mirror = 1 - 2 * (uniform(count) < variation.mirror).float()
    stretch = (gauss(count) * 0.035).exp()
    c, s = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    matrix = rotation * torch.stack([mirror * stretch, 1 / stretch], -1)[:, None] * scale[:, None, None]
    return matrix, centre, scale


def _bend(points, anterior, posterior, amplitude, top, power, half_width):
    """Amplitude (B, h, w) of the in-plane warp at frame-mm points: a hump along the midline, fading to the sides."""
    d = posterior - anterior
    length = d.norm(dim=-1).clamp(min=1)
    u = d / length[:, None]
    n = torch.stack([u[:, 1], -u[:, 0]], -1)
    q = points - anterior[:, None, None]
    along = torch.einsum("bhwi,bi->bhw", q, u) / length[:, None, None]
    across = torch.einsum("bhwi,bi->bhw", q, n)
    exponent = math.log(0.5) / torch.log(top)
    hump = torch.sin(math.pi * along.clamp(0, 1) ** exponent[:, None, None]).clamp(min=0) ** power[:, None, None]
    fade = torch.cos((across / half_width[:, None, None]).clamp(-1, 1) * math.pi / 2) ** 2
    return amplitude[:, None, None] * hump * fade, n


# Reach along the falx of a sideways carried attachment (anterior, posterior: least and most; a skull that bulges at the
# back carries half the falx along), reach across, and how far from the line the unshifted head follows.
CROOKED_REACH_MM = ((16.0, 32.0), (18.0, 46.0))
CROOKED_ACROSS_MM = 24.0
CROOKED_FADE_MM = 90.0


@dataclass
class _Crooked:
    """Falx attachments carried sideways: tissue at p came from p - ``warp`` n, and the ideal line moves by ``line``.

    Attributes:
        warp: (B, h, w) frame mm along n. line: (B, h, w) sideways move of the ideal line at that place along it, fading
            far from it. anterior, posterior: (B, 2) the carried attachments.
    """

    warp: torch.Tensor
    line: torch.Tensor
    anterior: torch.Tensor
    posterior: torch.Tensor


def _crook(points, anterior, posterior, amounts, reach, loose) -> _Crooked:
    """Carry the attachments by ``amounts`` (B, 2), anterior first, mm along the line's normal, at points (B, h, w, 2).

    ``reach`` (B, 2): mm along the falx. ``loose`` (B, h, w): share of the warp at each place.
    """
    d = posterior - anterior
    length = d.norm(dim=-1).clamp(min=1)
    u = d / length[:, None]
    n = torch.stack([u[:, 1], -u[:, 0]], -1)
    q = points - anterior[:, None, None]
    along, across = torch.einsum("bhwi,bi->bhw", q, u), torch.einsum("bhwi,bi->bhw", q, n)
    warp = torch.zeros_like(along)
    moved = []
    for end in range(2):
        amount, place = amounts[:, end, None, None], along - end * length[:, None, None]
        lateral = (across - amount) / CROOKED_ACROSS_MM
        warp = warp + loose * amount * torch.exp(-((place / reach[:, end, None, None]) ** 2) - lateral**2)
        # centred on the carried attachment, so that it moves by the whole amount
        moved.append((anterior, posterior)[end] + amounts[:, end, None] * n)
    fraction = along / length[:, None, None]
    line = amounts[:, 0, None, None] * (1 - fraction) + amounts[:, 1, None, None] * fraction
    fade = torch.cos((across / CROOKED_FADE_MM).clamp(-1, 1) * math.pi / 2) ** 2
    return _Crooked(warp, line * fade, *moved)


def _loose(inside: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Where a carried attachment carries tissue along: in half of the slices everywhere, in the others within the skull only.

    There the falx slides along the inner table, whose shape then tells nothing of where it is attached.

    Args:
        inside: (B, 1, h, w) inside of the skull. chance: (B,) 0..1, which of the two.
    """
    # to a little beyond the inner table, so that the falx does not bend back before it
    reached = F.avg_pool2d(F.max_pool2d(inside, 3, 1, 1), 3, 1, 1)
    return torch.where(chance[:, None, None, None] < 0.5, torch.ones_like(reached), reached)


def make_batch(
    slices: PhantomSlices,
    index: torch.Tensor,
    variation: FrameVariation | None,
    size: int,
    pixel_mm: float,
    frame_mm: float,
    g: torch.Generator,
    fineness: int = 1,
) -> ReadingBatch:
    """Cut a batch.

    Args:
        slices: the store.
        index: (B,) slices to take.
        variation: how to vary the frame; None: the true frame, nothing varied and nothing degraded (for validation).
        size, pixel_mm: the frame's grid.
        frame_mm: frame length of the falx in the true frame.
        g: source of every random number.
        fineness: 1, or 2 for slices sampled twice as densely as the grid in whose pixels the truth is told.
    """
    count, h = len(index), size // 2
    exact = FrameVariation(broad=False, mirror=0.0, bend=0.0, crooked=0.0)
    if variation is None:
        middle = (slices.anterior[index] + slices.posterior[index]) / 2
        scale = slices.falx_length[index] / frame_mm
        c, s = torch.cos(slices.angle[index]), torch.sin(slices.angle[index])
        matrix = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2) * scale[:, None, None]
        centre = middle
    else:
        matrix, centre, scale = _pose(slices, index, variation, frame_mm, g)
    to_plane = lambda p: torch.einsum("bij,bhwj->bhwi", matrix, p) + centre[:, None, None]  # noqa: E731
    inverse = torch.linalg.inv(matrix)
    to_frame = lambda p: torch.einsum("bij,bj->bi", inverse, p - centre)  # noqa: E731
    anterior, posterior = to_frame(slices.anterior[index]), to_frame(slices.posterior[index])

    over = 2
    full = _grid(size, pixel_mm).expand(count, -1, -1, -1)
    coarse = _grid(h, 2 * pixel_mm).expand(count, -1, -1, -1)
    readable = slices.readable[index].float()
    v = variation or exact
    chosen = (torch.rand(count, generator=g) < v.bend).float()
    large = torch.rand(count, generator=g) < 0.5
    amplitude = torch.where(
        large, (torch.rand(count, generator=g) * 2 - 1) * v.bend_mm, torch.randn(count, generator=g) * 4.0
    )
    shape = {
        "amplitude": amplitude * chosen,
        "top": 0.33 + 0.22 * torch.rand(count, generator=g),
        # up to 5: the septum gives way alone while the falx before and behind it stays
        "power": 1 + 4 * torch.rand(count, generator=g) ** 1.5,
        "half_width": 45 + 30 * torch.rand(count, generator=g),
    }
    amounts = torch.randn(count, 2, generator=g) * v.crooked_mm
    amounts = amounts * (torch.rand(count, 1, generator=g) < v.crooked)
    least, most = torch.tensor(CROOKED_REACH_MM).T
    reach = least + (most - least) * torch.rand(count, 2, generator=g)
    bend_full, n = _bend(full, anterior, posterior, **shape)
    bend_coarse, _ = _bend(coarse, anterior, posterior, **shape)
    pixel = slices.pixel_mm[index]
    # a node of the 128 grid is the middle of a block of two pixels: its corners lie half a pixel in
    to_block = lambda p: to_plane(p) - (pixel * 0.5)[:, None, None, None]  # noqa: E731
    skull_interior = slices.inside[index].float()[:, None]
    loose = _loose(_sample(skull_interior, to_block(coarse), 254 * pixel, "zeros"), torch.rand(count, generator=g))
    loose_full = F.interpolate(loose, size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    crook = _crook(coarse, anterior, posterior, amounts, reach, loose[:, 0])
    crook_full = _crook(full, anterior, posterior, amounts, reach, loose_full).warp
    full = to_plane(full - (bend_full + crook_full)[..., None] * n[:, None, None])
    # the map is smooth: places between the grid's points are interpolated
    fine = F.interpolate(full.movedim(-1, 1), scale_factor=over, mode="bilinear", align_corners=False).movedim(1, -1)
    moved = bend_coarse + crook.warp
    looked_up = coarse - moved[..., None] * n[:, None, None]

    hu = slices.hu[index].float()[:, None] + 1000.0
    hu = F.avg_pool2d(_sample(hu, fine, 255 * pixel, "zeros"), over // fineness)[:, 0] - 1000.0
    inside = (_sample(skull_interior, to_block(looked_up), 254 * pixel, "zeros")[:, 0] > 0.5).float()
    field = _sample(slices.displacement_px[index].float(), to_plane(looked_up), 255 * pixel)
    field_mm = field.flip(1).movedim(1, -1) * pixel[:, None, None, None]  # (column, row) plane mm
    # unshifted, the midline is the straight line between the attachments, wherever these were carried
    u = torch.einsum("bij,bhwj->bhwi", inverse, field_mm) + (crook.line - moved)[..., None] * n[:, None, None]
    anterior, posterior = crook.anterior, crook.posterior
    d = posterior - anterior
    length = d.norm(dim=-1).clamp(min=1)
    n = torch.stack([d[:, 1], -d[:, 0]], -1) / length[:, None]
    offset = (anterior * n).sum(-1)
    ideal = torch.einsum("bhwi,bi->bhw", coarse, n) - offset[:, None, None]
    deviation = _deviation(ideal, u, n, anterior, d, 2 * pixel_mm)
    along = torch.einsum("bhwi,bi->bhw", coarse - anterior[:, None, None], d / length[:, None] ** 2)
    deformed = ideal - _at_fraction(deviation, along)
    at_septum = _at_fraction(deviation, torch.full((count, 1), SEPTUM_FRACTION))
    shifted = anterior + SEPTUM_FRACTION * d + at_septum * n
    ends = torch.stack([anterior, posterior], 1)
    limit = (u.norm(dim=-1) * inside).amax((1, 2))
    if variation is not None:
        hu = degrade.fill_ventricles(hu, deformed, along, readable, g)
        hu = degrade.degrade(hu, inside, g)
    return ReadingBatch(
        hu=hu,
        displacement=u.flip(-1).movedim(-1, 1) / pixel_mm,
        ideal=ideal / pixel_mm,
        deformed=deformed / pixel_mm,
        inside=inside,
        ends=ends / pixel_mm,
        shifted=shifted / pixel_mm,
        readable=readable,
        height=slices.height[index],
        case_limit=limit / pixel_mm,
        mm=scale * pixel_mm,
    )


def _deviation(ideal, u, n, anterior, d, step_mm, nodes: int = 41, reach_mm: float = 26.0):
    """(B, nodes) signed distance of the deformed midline from the ideal one at equal fractions from end to end.

    The deformed midline is where the mapped point p + u(p) lies on the ideal line; across the line this changes sign
    once, so the crossing is found by adding up how much of a transversal maps to its negative side.
    """
    half = (ideal.shape[-1] - 1) / 2 * step_mm
    across = torch.linspace(-reach_mm, reach_mm, 53)
    fraction = torch.linspace(0, 1, nodes)
    points = (
        anterior[:, None, None] + fraction[None, :, None, None] * d[:, None, None] + across[:, None] * n[:, None, None]
    )
    side = ideal + torch.einsum("bhwi,bi->bhw", u, n)
    value = F.grid_sample(side[:, None], points / half, align_corners=True, padding_mode="border")[:, 0]
    low, high = value[..., :-1], value[..., 1:]
    negative = torch.where(low >= 0, 0.0, torch.where(high < 0, 1.0, -low / (high - low).clamp(min=1e-3)))
    crossing = -reach_mm + (across[1] - across[0]) * negative.sum(-1)
    crossing[:, 0] = crossing[:, -1] = 0.0  # the falx is attached there
    return crossing


def _at_fraction(values, fraction):
    """Linear interpolation of (B, nodes) over fractions 0..1, held at the ends; fraction (B, ...) -> same shape."""
    nodes = values.shape[1]
    place = fraction.clamp(0, 1).flatten(1) * (nodes - 1)
    below = place.floor().long().clamp(max=nodes - 2)
    weight = place - below
    result = values.gather(1, below) * (1 - weight) + values.gather(1, below + 1) * weight
    return result.view(fraction.shape)


class ReadingBatches(Dataset):
    """Batch number -> ReadingBatch, the same for the same seed whenever it is asked for; that makes training resumable.

    Args:
        slices: the store.
        batch_size: slices a batch. batches: length of the data set.
        variation, fineness: see ``make_batch``. size, pixel_mm, frame_mm: the frame.
        seed: with the batch's number, seeds everything random.
        first: number of the first batch (where a resumed run goes on).
    """

    def __init__(self, slices, batch_size, batches, variation, size, pixel_mm, frame_mm, seed, first=0, fineness=1):
        self.slices, self.batch_size, self.batches = slices, batch_size, batches
        self.variation, self.size, self.pixel_mm, self.frame_mm = variation, size, pixel_mm, frame_mm
        self.seed, self.first, self.fineness = seed, first, fineness
        self.weights = sampling_weights(slices)

    def __len__(self) -> int:
        return self.batches - self.first

    def __getitem__(self, number: int) -> ReadingBatch:
        g = torch.Generator().manual_seed(self.seed * 1_000_003 + self.first + number)
        index = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=g)
        frame = (self.size, self.pixel_mm, self.frame_mm)
        return make_batch(self.slices, index, self.variation, *frame, g, self.fineness)
